/*
 * A program that switches one thread between two interpreters, in the middle of their calls, as
 * Apache's mod_wsgi does: they share a GIL.
 *
 *     switching DIRECTORY
 *
 * Imports `switched` from there in both. Its run(), in the first, calls host.elsewhere() at each depth of
 * a recursion; that switches to the second, calls run() there, and so on to and fro.
 */
#include <Python.h>
#include <stdio.h>
#include <stdlib.h>

enum { INTERPRETERS = 2, DEPTH = 3 };

static PyThreadState *states[INTERPRETERS];
static PyObject *modules[INTERPRETERS];
static int current, depth;

static void fail(void)
{
	PyErr_Print();
	exit(1);
}

/* Calls a function of the module in the interpreter that is current. */
static void call(const char *function)
{
	PyObject *result = PyObject_CallMethod(modules[current], function, NULL);

	if (!result)
		fail();
	Py_DECREF(result);
}

static void switch_to(int interpreter)
{
	PyThreadState_Swap(states[interpreter]);
	current = interpreter;
}

static PyObject *elsewhere(PyObject *self, PyObject *arguments)
{
	int here = current;

	(void)self;
	(void)arguments;
	if (depth < DEPTH) {
		depth++;
		switch_to((here + 1) % INTERPRETERS);
		call("run");
		switch_to(here);
		depth--;
	}
	Py_RETURN_NONE;
}

static PyMethodDef functions[] = {{"elsewhere", elsewhere, METH_NOARGS, NULL}, {0}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "host", .m_size = 0,
				 .m_methods = functions};

static PyObject *make_module(void)
{
	return PyModuleDef_Init(&definition);
}

int main(int argc, char **argv)
{
	char path[4096];

	if (argc != 2) {
		fprintf(stderr, "usage: switching DIRECTORY\n");
		return 2;
	}
	PyImport_AppendInittab("host", make_module);
	Py_Initialize();
	states[0] = PyThreadState_Get();
	states[1] = Py_NewInterpreter();
	snprintf(path, sizeof(path), "import sys; sys.path.insert(0, '%s')", argv[1]);
	for (int i = 0; i < INTERPRETERS; i++) {
		switch_to(i);
		if (PyRun_SimpleString(path) || !(modules[i] = PyImport_ImportModule("switched")))
			fail();
		call("begin");
	}
	for (int i = 0; i < INTERPRETERS; i++) {
		switch_to(i);
		call("run");
	}
	for (int i = 0; i < INTERPRETERS; i++) {
		switch_to(i);
		call("end");
	}
	switch_to(1);
	Py_EndInterpreter(states[1]);
	PyThreadState_Swap(states[0]);
	puts("ran");
	return Py_FinalizeEx() ? 1 : 0;
}
