/*
 * `python3` upon the libpython that it is linked with: Debian packages the library without one.
 *
 * It starts itself, without the C library's start files, and needs of it only what every version
 * has: so what one machine's compiler makes runs in the oldest and the newest Debian.
 */

int Py_BytesMain(int argc, char **argv);
_Noreturn void exit(int status);

__attribute__((used)) static void start(long *stack)
{
	exit(Py_BytesMain((int)stack[0], (char **)(stack + 1)));
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call start\n");
