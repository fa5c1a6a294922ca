/*
 * A program with Python in it, and a main loop of its own.
 *
 *     host DIRECTORY [fork]
 *
 * It starts Python, imports `workload` from there, calls its run(), has threads that Python knows nothing
 * of call its callback(n) with the numbers below CALLS, ends Python; and all of that once more.
 *
 * With `fork`, a child of its own does all that, which has waited until nobody expects it to run another
 * program any more.
 *
 * With -DLIBRARY=PATH it loads libpython from there, by then. Without, libpython is linked, shared or
 * static.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 2, THREADS = 3, CALLS = 40 };

#ifdef LIBRARY

#include <dlfcn.h>

/* What is used of Python.h. */
typedef struct object PyObject;

#define TEXT(word)   #word
#define QUOTED(word) TEXT(word)
#define API(result, name, ...) static result (*name)(__VA_ARGS__);
#define FUNCTIONS                                                                                  \
	API(void, Py_Initialize, void)                                                             \
	API(int, Py_FinalizeEx, void)                                                              \
	API(int, PyGILState_Ensure, void)                                                          \
	API(void, PyGILState_Release, int)                                                         \
	API(void *, PyEval_SaveThread, void)                                                       \
	API(void, PyEval_RestoreThread, void *)                                                    \
	API(PyObject *, PyImport_ImportModule, const char *)                                       \
	API(PyObject *, PyObject_CallMethod, PyObject *, const char *, const char *, ...)          \
	API(void, PyErr_Print, void)                                                               \
	API(int, PyRun_SimpleString, const char *)
typedef int PyGILState_STATE;
FUNCTIONS

static void load(void)
{
	void *library = dlopen(QUOTED(LIBRARY), RTLD_NOW | RTLD_GLOBAL);

	if (!library) {
		fprintf(stderr, "host: %s\n", dlerror());
		exit(1);
	}
#undef API
#define API(result, name, ...) *(void **)&name = dlsym(library, #name);
	FUNCTIONS
}

#else

#include <Python.h>

static void load(void)
{
}

#endif

static PyObject *workload;

/* Calls a function of the workload's, for what it does. */
static void call(const char *function, int number)
{
	PyObject *result = number < 0 ? PyObject_CallMethod(workload, function, NULL)
				      : PyObject_CallMethod(workload, function, "i", number);

	if (!result) {
		PyErr_Print();
		exit(1);
	}
}

static void *thread(void *argument)
{
	(void)argument;
	for (int i = 0; i < CALLS; i++) {
		/* A thread state of its own each time. */
		PyGILState_STATE state = PyGILState_Ensure();

		call("begin", -1);
		call("callback", i % 10);
		PyGILState_Release(state);
	}
	return NULL;
}

static void run(const char *directory)
{
	pthread_t threads[THREADS];
	char path[4096];
	void *saved;

	Py_Initialize();
	snprintf(path, sizeof(path), "import sys; sys.path.insert(0, '%s')", directory);
	if (PyRun_SimpleString(path))
		exit(1);
	workload = PyImport_ImportModule("workload");
	if (!workload) {
		PyErr_Print();
		exit(1);
	}
	call("begin", -1);
	call("run", -1);
	saved = PyEval_SaveThread();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, thread, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	PyEval_RestoreThread(saved);
	call("end", -1);
	if (Py_FinalizeEx())
		exit(1);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: host DIRECTORY [fork]\n");
		return 2;
	}
	if (argc > 2) {
		pid_t child = fork();
		int status;

		if (child)
			return waitpid(child, &status, 0) != child || status;
		usleep(500000);
	}
	load();
	for (int i = 0; i < ROUNDS; i++)
		run(argv[1]);
	puts("ran");
	return 0;
}
