//! What to capture of objects of C's types, and how to show it: one row for each type.
//!
//! To add a type, add a row: its `tp_name`, what the kernel program is to read, and a function that
//! writes its text. A type without a row shows as `<module.Class>`.

use super::foreign::{numpy, torch};
use super::objects;
use super::text::Writer;
use crate::event::{Shape, Value};

/// Offsets that depend on the interpreter's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectOffsets {
    /// Size of `PyObject`: where every object has the first field of its own.
    pub head: u16,
    /// `PyFunctionObject.func_qualname`.
    pub function_qualname: u16,
    /// `PyMethodObject.im_func`.
    pub method_function: u16,
    /// `PyCFunctionObject.m_ml`.
    pub builtin_definition: u16,
    /// `PyModuleObject.md_name`.
    pub module_name: u16,
    /// `PyBaseExceptionObject.args`.
    pub exception_arguments: u16,
}

/// What to capture of the instances of a type of C's and of its subclasses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// `tp_name`.
    pub name: &'static str,
    /// Its number, which comes back with the values.
    pub number: u16,
    /// Which types of that name it is for.
    pub whose: Whose,
    /// What the values are.
    pub shape: Shape,
    /// Of [`Shape::Fields`]: bytes of the object, behind its head.
    pub head: u8,
    /// Of [`Shape::Fields`]: the ways to other objects.
    pub children: Vec<Path>,
    /// Whether these are names, which are not cut.
    pub names: bool,
    /// Of [`Shape::Fields`]: what else to read, as data behind the head.
    pub reads: Vec<Read>,
}

/// Which types of a recipe's name it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Any of C's: the name has a module's in it, which those of Python's classes have not.
    AnyOfC,
    /// The interpreter's own, known by its address.
    Exported,
    /// The interpreter's own, whose address its file does not tell.
    Static,
}

/// A way from an object: the pointer at `pointer` in it, then the one at `next` from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Offset in the object.
    pub pointer: u16,
    /// Offset from where that leads, where the way goes on.
    pub next: Option<u16>,
}

/// Memory to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Where it is.
    pub path: Path,
    /// From where that leads.
    pub offset: u16,
    /// Bytes, a multiple of 8.
    pub size: u16,
}

/// Writes the text of a value: its head, its index among the nodes.
pub(super) type Show = fn(&mut Writer<'_>, &Value, usize);

enum Capture {
    Plain(Shape),
    Fields(fn(&ObjectOffsets) -> Fields, Show),
}

#[derive(Default)]
struct Fields {
    head: u8,
    children: Vec<Path>,
    names: bool,
    reads: Vec<Read>,
    /// The interpreter has a type of that name that its file does not export.
    hidden: bool,
}

/// The recipes for a build's interpreters.
pub fn recipes(offsets: &ObjectOffsets) -> Vec<Recipe> {
    let recipe = |(number, (name, capture)): (usize, &(&'static str, Capture))| {
        let (shape, fields) = match capture {
            Capture::Plain(shape) => (*shape, Fields::default()),
            Capture::Fields(fields, _) => (Shape::Fields, fields(offsets)),
        };
        Recipe {
            name,
            number: number as u16,
            whose: match () {
                () if fields.hidden => Whose::Static,
                () if name.contains('.') => Whose::AnyOfC,
                () => Whose::Exported,
            },
            shape,
            head: fields.head,
            children: fields.children,
            names: fields.names,
            reads: fields.reads,
        }
    };
    TABLE.iter().enumerate().map(recipe).collect()
}

/// What shows the fields of a recipe.
pub(super) fn show(number: u32) -> Option<Show> {
    match TABLE.get(usize::try_from(number).ok()?)? {
        (_, Capture::Fields(_, show)) => Some(*show),
        (_, Capture::Plain(_)) => None,
    }
}

/// The type that a recipe is for.
pub(super) fn name(number: u32) -> Option<&'static str> {
    let (name, _) = TABLE.get(usize::try_from(number).ok()?)?;
    Some(name)
}

/// Whether a recipe is that of exceptions.
pub(super) fn is_exception(number: u32) -> bool {
    name(number) == Some("BaseException")
}

fn children<const N: usize>(pointers: [u16; N]) -> Fields {
    Fields {
        children: pointers.map(at).into(),
        ..Fields::default()
    }
}

fn named(pointer: u16) -> Fields {
    Fields {
        names: true,
        ..children([pointer])
    }
}

fn at(pointer: u16) -> Path {
    Path {
        pointer,
        next: None,
    }
}

fn head(head: u8) -> Fields {
    Fields {
        head,
        ..Fields::default()
    }
}

/// `start`, `stop`, `step`.
fn bounds(offsets: &ObjectOffsets) -> Fields {
    children([0, 8, 16].map(|field| offsets.head + field))
}

fn builtin(offsets: &ObjectOffsets) -> Fields {
    let read = Read {
        path: Path {
            pointer: offsets.builtin_definition,
            next: Some(0),
        },
        offset: 0,
        size: 64,
    };
    Fields {
        reads: vec![read],
        ..Fields::default()
    }
}

/// The same in NumPy 1 and 2: the number of dimensions; what they are; and of the description the
/// kind and, four bytes behind it, the number of the type.
fn array(offsets: &ObjectOffsets) -> Fields {
    let ObjectOffsets { head, .. } = *offsets;
    let read = |pointer, offset, size| Read {
        path: at(pointer),
        offset,
        size,
    };
    Fields {
        head: 16,
        reads: vec![read(head + 16, 0, 64), read(head + 40, head + 8, 8)],
        ..Fields::default()
    }
}

/// What the tensor's object refers to is the first of its own fields (PyTorch 1.7 and older, 2.14), or
/// behind a flag that is 0 (`c10::MaybeOwned`): see [`torch`].
fn tensor(offsets: &ObjectOffsets) -> Fields {
    let read = |pointer| Read {
        path: at(pointer),
        offset: torch::START,
        size: torch::SIZE,
    };
    Fields {
        reads: vec![read(offsets.head), read(offsets.head + 8)],
        ..Fields::default()
    }
}

macro_rules! scalars {
    ($($name:literal: $head:literal),* $(,)?) => {
        [$(($name, Capture::Fields(|_| head($head), numpy::scalar))),*]
    };
}

type Row = (&'static str, Capture);

const BUILTINS: [Row; 23] = [
    ("NoneType", Capture::Plain(Shape::None)),
    ("bool", Capture::Plain(Shape::Bool)),
    ("int", Capture::Plain(Shape::Int)),
    ("float", Capture::Plain(Shape::Float)),
    ("complex", Capture::Plain(Shape::Complex)),
    ("str", Capture::Plain(Shape::Str)),
    ("bytes", Capture::Plain(Shape::Bytes)),
    ("bytearray", Capture::Plain(Shape::Bytearray)),
    ("list", Capture::Plain(Shape::List)),
    ("tuple", Capture::Plain(Shape::Tuple)),
    ("set", Capture::Plain(Shape::Set)),
    ("frozenset", Capture::Plain(Shape::Frozenset)),
    ("dict", Capture::Plain(Shape::Dict)),
    ("type", Capture::Plain(Shape::Type)),
    ("range", Capture::Fields(bounds, objects::range)),
    ("slice", Capture::Fields(bounds, objects::slice)),
    (
        "function",
        Capture::Fields(
            |offsets| named(offsets.function_qualname),
            objects::function,
        ),
    ),
    (
        "method",
        Capture::Fields(
            |offsets| children([offsets.method_function]),
            objects::method,
        ),
    ),
    (
        "builtin_function_or_method",
        Capture::Fields(builtin, objects::builtin),
    ),
    (
        "module",
        Capture::Fields(|offsets| named(offsets.module_name), objects::module),
    ),
    (
        "BaseException",
        Capture::Fields(
            |offsets| children([offsets.exception_arguments]),
            objects::exception,
        ),
    ),
    (
        "async_generator_wrapped_value",
        Capture::Fields(
            |offsets| Fields {
                hidden: true,
                ..children([offsets.head])
            },
            objects::yielded,
        ),
    ),
    (
        "collections.deque",
        Capture::Fields(|_| head(8), objects::deque),
    ),
];

const NUMPY: [Row; 15] = scalars![
    "numpy.bool_": 8,
    "numpy.bool": 8,
    "numpy.int8": 8,
    "numpy.int16": 8,
    "numpy.int32": 8,
    "numpy.int64": 8,
    "numpy.longlong": 8,
    "numpy.uint8": 8,
    "numpy.uint16": 8,
    "numpy.uint32": 8,
    "numpy.uint64": 8,
    "numpy.ulonglong": 8,
    "numpy.float16": 8,
    "numpy.float32": 8,
    "numpy.complex64": 8,
];

const ARRAYS: [Row; 3] = [
    ("numpy.ndarray", Capture::Fields(array, numpy::array)),
    // They are Python's own first.
    ("numpy.float64", Capture::Plain(Shape::Float)),
    ("numpy.complex128", Capture::Plain(Shape::Complex)),
];

const TORCH: [Row; 4] = [
    (
        "torch._C.TensorBase",
        Capture::Fields(tensor, torch::tensor),
    ),
    // Up to 2.0.
    (
        "torch._C._TensorBase",
        Capture::Fields(tensor, torch::tensor),
    ),
    ("torch.dtype", Capture::Fields(|_| head(32), torch::dtype)),
    ("torch.device", Capture::Fields(|_| head(8), torch::device)),
];

/// Behind their object's head, Cython's have a pointer to their functions. What is made of their
/// fields, `foreign::pandas` knows; by themselves, they are but their class.
const PANDAS: [Row; 2] = [
    // `axes` and `_blknos`
    (
        "pandas._libs.internals.BlockManager",
        Capture::Fields(
            |offsets| children([offsets.head + 16, offsets.head + 32]),
            |writer, value, _| writer.opaque(value),
        ),
    ),
    // `_ndarray`
    (
        "pandas._libs.arrays.NDArrayBacked",
        Capture::Fields(
            |offsets| children([offsets.head + 8]),
            |writer, value, _| writer.opaque(value),
        ),
    ),
];

static TABLE: std::sync::LazyLock<Vec<Row>> = std::sync::LazyLock::new(|| {
    let packages = ARRAYS.into_iter().chain(NUMPY).chain(TORCH).chain(PANDAS);
    BUILTINS.into_iter().chain(packages).collect()
});
