/* What gdb_session.py looks at: a list of points, complete when stop() is called. */
#include <stddef.h>

struct point {
	int x, y;
};

struct node {
	struct point point;
	struct node *next;
};

void __attribute__((noinline)) stop(struct node *list)
{
	__asm__ volatile("" : : "r"(list) : "memory");
}

int main(void)
{
	struct node nodes[8];

	for (int i = 0; i < 8; i++) {
		nodes[i].point = (struct point){i, i * i};
		nodes[i].next = i < 7 ? &nodes[i + 1] : NULL;
	}
	stop(nodes);
	return 0;
}
