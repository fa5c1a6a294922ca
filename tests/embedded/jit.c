/* Runs Python, whose JIT it switches on for itself: nothing of that shows in the environment that the process
 * was started with. LIBRARY is the libpython that it loads, wherever it runs. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	void *python = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL);
	int (*run)(int, char **);

	if (!python) {
		fprintf(stderr, "%s\n", dlerror());
		return 2;
	}
	setenv("PYTHON_JIT", "1", 1);
	run = (int (*)(int, char **))dlsym(python, "Py_BytesMain");
	return run(argc, argv);
}
