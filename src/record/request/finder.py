# Has the interpreter itself mark the code whose calls are recorded: run within the traced process, before
# its program (src/record/request.rs), from CPython 3.12 on. It is said with an exception that code of theirs has
# run before. Or, from 3.14 on, while its program runs (src/record/errand.rs): then `program` is the frame in which
# it does.
#
# A marked code object has local events without any callback, so that it runs instrumented instructions,
# which pytrace probes. Code is found as it starts for the first time, by an event that is disabled for it
# then: what is not marked runs as if nothing had been asked for. Nothing of this is in `__main__`,
# `sys.modules` or `sys.path`. It calls nothing of the program's: hence types are compared by `is`, and only
# exact strings. But handlers of signals and finalizers may run within it, as they may anywhere: what they
# raise is theirs, and passes through.
#
# `directories` are the scope's, with real paths, as bytes. Which code is theirs is decided as in
# src/scope/mod.rs. `external`: functions that the scope's code calls are marked as well, in all their calls.
# The import system's are in any case: they tell which modules' bodies are import activity.
#
# `c_calls`: C functions that it calls are told of, by code that stands for their starts and ends, and is marked
# itself (src/trace/builder/natives.rs).
#
# `recorder` is the process that records, of which the tools' names tell; `gone` are others that did.

import sys
from _thread import get_ident
from _weakref import ref as weak
from posix import getcwd, readlink

own_globals = globals()
modules = sys.modules
call_type = type.__call__
Native, NativeMethod = type(len), type(str.join)
NativeOfClass = type(dict.__dict__['fromkeys'])
Slot, SlotOf = type(object.__init__), type(''.__str__)
Function = type(lambda: None)
Code = type((lambda: None).__code__)
Method = type((lambda: None).__get__(0))
Module = type(sys)
get_frame = sys._getframe
current_frames = sys._current_frames
monitoring = sys.monitoring
events = monitoring.events
get_local_events = monitoring.get_local_events
set_local_events = monitoring.set_local_events
disable = monitoring.DISABLE
# As a metaclass can't have it otherwise.
bases_of = type.__dict__['__mro__'].__get__
members_of = type.__dict__['__dict__'].__get__
name_of = type.__dict__['__name__'].__get__
qualname_of = type.__dict__['__qualname__'].__get__
missing = monitoring.MISSING

ACTIVATIONS = events.PY_START | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD
BEGINNINGS = events.PY_START, events.PY_RESUME
AHEAD = events.PY_START | events.PY_RESUME
# What the statements `class` and `with` call without an event: the latter, since 3.14, at an exception only.
OF_STATEMENTS = {
    '__aexit__', '__exit__',
    '__init_subclass__', '__mro_entries__', '__prepare__', '__set_name__',
}
if sys.version_info < (3, 14):
    OF_STATEMENTS |= {'__aenter__', '__enter__'}
# And a module's `__getattr__()`, as well as, of the standard library, what a class's body calls to set its names.
OF_NAMES = {'__getattr__', 'EnumDict.__setitem__', '_EnumDict.__setitem__'}
# Where code stands.
INTERNAL, IMPORT, OTHER = 'internal', 'import', 'other'
# By which the kernel programs know them (bpf/event.h).
STAND_IN_LINE = 0x70797472
LINKS_MAX = 40
PLACES_MAX = 16384
# Of what calls another, such as partial(partial(...)), so many are looked through.
DEPTH_MAX = 8
# What these lines may raise: at the recursion limit, or if somebody has freed their tool ids.
OWN = RecursionError, MemoryError, ValueError, TypeError, AttributeError, KeyError

places = {}
# What the scope's code may read attributes by, and the functions of others' properties, by their names.
names = set()
properties = {}
marked = []
marked_max = 1024
c_functions = {}
c_names = {}


def real(path):
    """Its real path, as far as it exists."""
    if not path.startswith('/'):
        path = f'{cwd}/{path}'
    ahead = path.split('/')[::-1]
    links = 0
    path = ''
    while ahead:
        part = ahead.pop()
        if part == '..':
            path = path.rpartition('/')[0]
        elif part not in ('', '.'):
            try:
                link = readlink(f'{path}/{part}') if links < LINKS_MAX else ''
            except (OSError, ValueError) as error:  # it is no link, or no path at all
                if not is_own(error):
                    raise
                link = ''
            if link:
                links += 1
                if link.startswith('/'):
                    path = ''
                ahead += link.split('/')[::-1]
            else:
                path = f'{path}/{part}'
    return path


def is_python_x_y(name):
    x, _, y = name.removeprefix('python').removesuffix('t').partition('.')
    return name.startswith('python') and x.isdecimal() and y.isdecimal()


def is_below(path, directory):
    if not path.startswith(f'{directory}/'):
        return False
    previous = ''
    for name in path[len(directory) + 1 :].split('/'):
        if name in ('site-packages', 'dist-packages') or previous == 'lib' and is_python_x_y(name):
            return False
        previous = name
    return True


def look(name):
    if not name or name.startswith('<'):
        module = name[8:-1] if name.startswith('<frozen ') else ''
        is_import = module in ('importlib', 'zipimport') or module.startswith('importlib.')
        return IMPORT if is_import else OTHER
    path = real(name)
    if path.endswith(('/importlib/_bootstrap.py', '/importlib/_bootstrap_external.py')):
        return IMPORT
    for directory in directories:
        if is_below(path, directory):
            return INTERNAL
    return OTHER


def is_own(error):
    """Whether an exception was raised by these lines themselves."""
    traceback = error.__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_globals is own_globals


def place(name):
    if type(name) is not str:
        return OTHER
    found = places.get(name)
    if found is None:
        if len(places) >= PLACES_MAX:
            places.clear()
        found = places[name] = look(name)
    return found


def mark(code, where):
    global marked, marked_max

    set_local_events(marker, code, ACTIVATIONS)
    if external and where is INTERNAL:
        set_local_events(finder, code, events.CALL)
        for name in code.co_names:
            if name not in names:
                names.add(name)
                for reference in properties.get(name, ()):
                    if found := reference():
                        mark(found, OTHER)
    if len(marked) >= marked_max:
        marked = [reference for reference in marked if reference()]
        marked_max = max(marked_max, 2 * len(marked))
    marked.append(weak(code))


def release():
    """Takes all back."""
    monitoring.set_events(finder, 0)
    # Who frees a tool id leaves its local events to code that runs again.
    for reference in marked:
        code = reference()
        if code:
            set_local_events(marker, code, 0)
            set_local_events(finder, code, 0)
    monitoring.free_tool_id(marker)
    monitoring.free_tool_id(finder)


def class_of(qualname, namespace):
    """The class that defines a function, if it goes by its name. What the function was called with would tell
    as well, but a look at its locals has them live longer (3.12)."""
    parts = qualname.split('.')[:-1]
    if not parts or type(namespace) is not dict:
        return None
    found = namespace.get(parts[0])
    for part in parts[1:]:
        if not is_a(type(found), type):
            return None
        found = members_of(found).get(part)
    return found if is_a(type(found), type) else None


def is_called_otherwise(code, namespace):
    """Whether the scope's code may call it by no instruction that calls: by a statement or, if it is of a
    property, by that one's name. `namespace` has its globals."""
    name, qualname = code.co_name, code.co_qualname
    if type(name) is not str or type(qualname) is not str:
        return False
    if name in OF_STATEMENTS or qualname in OF_NAMES or qualname.endswith('<locals>.__getattr__'):
        return True
    makes = name in ('__new__', '__init__')
    if not makes and not 0 < code.co_argcount < 3:
        return False
    definer = class_of(qualname, namespace)
    if definer is None:
        return False
    if makes and is_a(definer, type):
        return True
    if not is_a(type(members_of(definer).get(name)), property):
        return False
    if name in names:
        return True
    properties.setdefault(name, []).append(weak(code))
    return False


def begins(code, offset, depth=1):
    """Code starts, or goes on, for the first time."""
    try:
        where = place(code.co_filename)
        if where is INTERNAL:
            mark(code, where)
        elif external or where is IMPORT:
            frame = get_frame(depth)
            caller = frame.f_back
            if (
                caller and place(caller.f_code.co_filename) is INTERNAL
                or external and is_called_otherwise(code, frame.f_globals)
            ):
                mark(code, where)
    except OWN as error:
        if not is_own(error):
            raise
        return None  # next time
    return disable


def is_a(kind, wanted):
    for base in bases_of(kind):
        if base is wanted:
            return True
    return False


def native(name):
    """This type of functools', which is written in C, if anybody has imported it."""
    module = modules.get('_functools')
    return members.get(name) if (members := type(module) is Module and module.__dict__) else None


def mark_member(kind, name, depth):
    for base in bases_of(kind):
        member = members_of(base).get(name)
        if member is not None:
            mark_callable(member, depth)
            return


def mark_callable(callable, depth=0):
    """Marks what a call of this is about to run."""
    kind = type(callable)
    if kind is Method:
        callable = callable.__func__
        kind = type(callable)
    if kind is Function:
        code = callable.__code__
        if not get_local_events(marker, code):
            mark(code, place(code.co_filename))
    elif kind is Native or kind is NativeMethod or kind is Slot or depth > DEPTH_MAX:
        return
    elif kind is SlotOf:
        if callable.__name__ == '__call__':
            mark_callable(callable.__self__, depth + 1)
    elif kind is staticmethod or kind is classmethod:
        mark_callable(callable.__func__, depth + 1)
    elif is_a(kind, type):
        for name in ('__new__', '__init__'):
            mark_member(callable, name, depth + 1)
        if kind is not type:
            mark_member(kind, '__call__', depth + 1)
    elif kind is native('_lru_cache_wrapper'):
        mark_callable(callable.__wrapped__, depth + 1)
    elif (partial := native('partial')) and is_a(kind, partial):
        mark_callable(members_of(partial)['func'].__get__(callable), depth + 1)
    else:
        mark_member(kind, '__call__', depth + 1)


def calls(code, offset, callable, first):
    """The scope's code is about to call this."""
    # Most calls are of C functions, or of what is marked already, and each takes time.
    kind = type(callable)
    if kind is Native or kind is NativeMethod:
        return
    try:
        if kind is Function and get_local_events(marker, callable.__code__):
            return
        mark_callable(first if callable is call_type else callable)
    except OWN as error:
        if not is_own(error):
            raise


def is_c(kind, first):
    """Whether a call of this is one of a C function, as `sys.setprofile()` has it."""
    return kind is Native or kind is NativeMethod and first is not missing or is_a(kind, Native)


def c_name(function, kind):
    if kind is NativeMethod:
        return function.__qualname__
    owner, name = function.__self__, function.__name__
    if owner is None or type(owner) is Module:
        module = function.__module__
        return name if type(module) is not str or module == 'builtins' else f'{module}.{name}'
    owner = owner if is_a(type(owner), type) else type(owner)
    for base in bases_of(owner):
        if type(members_of(base).get(name)) in (NativeMethod, NativeOfClass):
            owner = base
            break
    return f'{qualname_of(owner)}.{name}'


def stand_in(name, filename):
    """A function that stands for another in the trace."""
    code = (lambda: None).__code__
    code = code.replace(
        co_filename=filename,
        co_firstlineno=STAND_IN_LINE,
        co_name=name.rpartition('.')[2],
        co_qualname=name,
    )
    set_local_events(marker, code, events.PY_START)
    return Function(code, own_globals)


def c_starts(function, kind):
    # A bound method is another object each time.
    is_bound = kind is not NativeMethod and type(function.__self__) is not Module
    key = None if is_bound else function
    known = c_functions.get(key)
    if not known:
        name = c_name(function, kind)
        known = c_names.get(name)
        if not known:
            if len(c_names) >= PLACES_MAX:
                c_names.clear()
            known = c_names[name] = stand_in(name, '<pytrace: C>')
        if key:
            if len(c_functions) >= PLACES_MAX:
                c_functions.clear()
            c_functions[key] = known
    known()


def calls_any(code, offset, callable, first):
    """The same, where C functions are told of as well."""
    try:
        kind = type(callable)
        if is_c(kind, first):
            c_starts(callable, kind)
        else:
            mark_callable(first if callable is call_type else callable)
    except OWN as error:
        if not is_own(error):
            raise


def ends(stands_for):
    """What is called where a C function's call has ended, to have that told by this function."""

    def ended(code, offset, callable, first):
        try:
            if is_c(type(callable), first):
                stands_for()
        except OWN as error:
            if not is_own(error):
                raise

    return ended


def is_asked():
    """Whether this recorder has asked already: it asks several threads, and the first does it."""
    for tool in range(6):
        name = monitoring.get_tool(tool)
        if type(name) is not str or not name.startswith('pytrace '):
            continue
        of = name.removeprefix('pytrace ').removesuffix(': marked')
        if of == str(recorder):
            return True
        if of not in gone:
            raise RuntimeError(f'another recording of it is in progress, by process {of}')
        if theirs := monitoring.register_callback(tool, events.PY_START, None):
            theirs.__globals__['release']()
    # What such a recording has disabled would stay so for who has the same tool id.
    monitoring.restart_events()
    return False


def ask():
    global cwd, directories, finder, marker

    encoding = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    directories = [path.decode(*encoding).rstrip('/') for path in directories]
    try:
        cwd = getcwd()
    except OSError:
        cwd = ''
    # Debuggers, coverage tools and profilers keep theirs.
    free = [tool for tool in (4, 3, 5) if monitoring.get_tool(tool) is None]
    if len(free) < 2:
        raise RuntimeError('its monitoring tool ids are taken')
    finder, marker = free[:2]
    name = f'pytrace {recorder}'
    monitoring.use_tool_id(finder, name)
    try:
        monitoring.use_tool_id(marker, f'{name}: marked')
        try:
            watch()
        except BaseException:
            monitoring.free_tool_id(marker)
            raise
    except BaseException:
        monitoring.free_tool_id(finder)
        raise


def watch():
    callbacks = []
    if external:
        callbacks.append((events.CALL, calls_any if c_calls else calls))
    if c_calls:
        returns = stand_in('returns', '<pytrace: C returns>')
        raises = stand_in('raises', '<pytrace: C raises>')
        callbacks += (events.C_RETURN, ends(returns)), (events.C_RAISE, ends(raises))
    for event in BEGINNINGS:
        monitoring.register_callback(finder, event, begins)
    for event, callback in callbacks:
        monitoring.register_callback(finder, event, callback)
    bootstrap = modules['_frozen_importlib']
    for function in (bootstrap._find_and_load, bootstrap._handle_fromlist):
        mark(function.__code__, IMPORT)
    if external:
        # What else of it C calls: of an import, of one in another thread, and of its end.
        mark(bootstrap.ModuleSpec.parent.fget.__code__, IMPORT)
        mark(bootstrap.ModuleSpec.has_location.fget.__code__, IMPORT)
        mark(bootstrap._lock_unlock_module.__code__, IMPORT)
        for constant in bootstrap._get_module_lock.__code__.co_consts:
            if type(constant) is Code:
                mark(constant, IMPORT)
    if program:
        # A generator may go on for the first time with that, which has no code begin.
        monitoring.register_callback(finder, events.PY_THROW, goes_on_with)
    # Last: confirm.py looks for it.
    monitoring.set_events(finder, AHEAD | events.PY_THROW if program else AHEAD)
    # Their own code is found as well, and left alone: not within a callback, which has no events (3.12).
    begins(place.__code__, 0)
    for _, callback in callbacks:
        callback(None, 0, None, None)
    if program:
        mark_running()


def goes_on_with(code, offset, exception):
    begins(code, offset, 2)  # not to be disabled


def mark_running():
    """Marks what has begun by now."""
    threads = current_frames()
    if len(threads) > 1 and not sys._is_gil_enabled():
        raise RuntimeError("its threads run at the same time, and their frames can't be looked at")
    threads[get_ident()] = program
    for frame in threads.values():
        while frame:
            code, frame = frame.f_code, frame.f_back
            where = place(code.co_filename)
            calls_it = frame and place(frame.f_code.co_filename) is INTERNAL
            if where is INTERNAL or calls_it and (external or where is IMPORT):
                mark(code, where)


def has_run():
    """Whether a module of the scope's has been imported."""
    for module in list(modules.values()):
        name = module.__dict__.get('__file__') if type(module) is Module else None
        if place(name) is INTERNAL:
            return True
    return False


if program and is_asked():
    is_repeated = True
else:
    ask()
    if not program and has_run():
        raise RuntimeError
