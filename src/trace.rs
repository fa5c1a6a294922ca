//! What a recording consists of: threads, code objects, activations.
//!
//! Pure: no BPF, no file system, no clock.

use std::sync::Arc;

mod arguments;
mod builder;
mod losses;
mod threads;

pub(crate) use arguments::push_argument;
pub use arguments::{ArgumentList, Arguments, ArgumentsRef};
pub use builder::{Builder, Classify, Filter};
pub use losses::{Loss, Losses};
pub use threads::Pairing;

/// Nanoseconds of the kernel's monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A thread of a process, in the numbering of the initial pid namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId {
    /// Process id (the kernel's tgid).
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
}

/// A code object of a process: what a function's activations have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Code {
    /// `co_qualname` where the version has it (3.11); before, the `__qualname__` of a method that
    /// its first argument leads to; else `co_name`.
    pub name: String,
    /// `co_filename`, resolved to a real path where it names a file.
    pub file: String,
    /// `co_firstlineno`; 1-based.
    pub line: u32,
    /// What kind of code this is.
    pub kind: Kind,
    /// Whether it belongs to the scope.
    pub category: Category,
}

impl Code {
    /// The last component of its file's path.
    pub fn file_name(&self) -> &str {
        self.file
            .rsplit(['/', '\\'])
            .find(|part| !part.is_empty())
            .unwrap_or(&self.file)
    }
}

/// What kind of code an activation runs, as far as its code object tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A plain function.
    Function,
    /// A function defined in a class body.
    Method,
    /// `__init__`.
    ClassInstantiation,
    /// `__enter__`, `__getitem__`, ...
    SpecialMethod,
    /// `<lambda>`.
    Lambda,
    /// `<listcomp>`, `<setcomp>`, `<dictcomp>`.
    Comprehension,
    /// A generator, asynchronous or not, or a generator expression.
    Generator,
    /// An `async def` without `yield`.
    Coroutine,
    /// The body of a `class` statement.
    ClassBody,
    /// `<module>`.
    Module,
    /// The import system's own code.
    Import,
    /// A function or method written in C.
    Builtin,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Kind; 12] = [
        Kind::Function,
        Kind::Method,
        Kind::ClassInstantiation,
        Kind::SpecialMethod,
        Kind::Lambda,
        Kind::Comprehension,
        Kind::Generator,
        Kind::Coroutine,
        Kind::ClassBody,
        Kind::Module,
        Kind::Import,
        Kind::Builtin,
    ];

    /// The kind that the trace file calls `word`.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word the trace file uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Function => "function",
            Kind::Method => "method",
            Kind::ClassInstantiation => "class_instantiation",
            Kind::SpecialMethod => "special_method",
            Kind::Lambda => "lambda",
            Kind::Comprehension => "comprehension",
            Kind::Generator => "generator",
            Kind::Coroutine => "coroutine",
            Kind::ClassBody => "class_body",
            Kind::Module => "module",
            Kind::Import => "import",
            Kind::Builtin => "builtin",
        }
    }
}

/// Where an activation stands with respect to the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Code of the scope.
    Internal,
    /// Code outside the scope, called directly by code of the scope.
    External,
    /// The import system, or a module's body run by it.
    Import,
}

impl Category {
    /// Every category there is.
    pub const ALL: [Category; 3] = [Category::Internal, Category::External, Category::Import];

    /// The category that the trace file calls `word`.
    pub fn from_word(word: &str) -> Option<Category> {
        Category::ALL
            .into_iter()
            .find(|category| category.as_str() == word)
    }

    /// The word the trace file uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Internal => "internal",
            Category::External => "external",
            Category::Import => "import",
        }
    }
}

/// What a code object turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeIs {
    /// Code whose frames are activations.
    Of(Category),
    /// The code of the frame that a specialised class call puts under `__init__` (3.12+), which
    /// never starts.
    Shim,
}

/// How an activation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It returned.
    Return,
    /// It yielded, or awaited something that was not ready.
    Yield,
    /// It yielded, no later than its duration says: no probe saw it, but it was found suspended.
    InferredYield,
    /// An exception left it.
    Exception,
    /// No probe saw it end: its caller was found to go on without it.
    Unseen,
    /// It was still open when the recording, its thread or its process ended.
    Unfinished,
}

/// A finished activation, as handed to a [`Sink`].
#[derive(Debug, Clone)]
pub struct Call {
    /// Which thread ran it.
    pub thread: ThreadId,
    /// 1-based, in order of start, per thread.
    pub number: u64,
    /// Number of recorded ancestors.
    pub depth: u32,
    /// What it ran.
    pub code: Arc<Code>,
    /// `code.category`, but for module bodies run by an import.
    pub category: Category,
    /// When it started or resumed.
    pub start: Time,
    /// How long it ran, in nanoseconds.
    pub duration: u64,
    /// Whether it was resumed rather than started.
    pub resumed: bool,
    /// Whether it ran already when the recording began; `start` is then the beginning of the
    /// recording.
    pub already_running: bool,
    /// Whether it started, or was resumed, in code compiled by the JIT, where no probe sees it: at
    /// some time since the thread's event before `start`, and no later than that.
    pub start_inferred: bool,
    /// How it ended.
    pub exit: Exit,
    /// Type of the exception that left it, where it could be read.
    pub exception: Option<Arc<str>>,
    /// That exception's message, where it is a str.
    pub message: Option<Box<str>>,
    /// What it was called with, where that was recorded: of starts only.
    pub arguments: Option<Arguments>,
    /// What it returned or, where `exit` is [`Exit::Yield`], yielded; as text for people.
    pub result: Option<Box<str>>,
}

/// Takes calls in the order in which they end.
pub trait Sink {
    /// A call has ended.
    fn call(&mut self, call: &Call) -> std::io::Result<()>;

    /// Events of a thread could not be recorded. Calls that ended meanwhile, as far as that is
    /// known by now, have come before this; those that go on come later.
    fn gap(&mut self, gap: &Gap) -> std::io::Result<()>;
}

/// Starts and ends of a thread's calls that could not be recorded since its previous event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// When the first of them happened.
    pub since: Time,
    /// How many calls started or were resumed.
    pub starts: u64,
    /// How many ended or were suspended.
    pub ends: u64,
}

/// A place in a thread's calls where events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The thread.
    pub thread: ThreadId,
    /// Number of the last call that started before the gap; 0: none.
    pub after_call: u64,
    /// Number of recorded calls that were running before the gap and still are behind it.
    pub depth: u32,
    /// When the first of the missing events happened.
    pub since: Time,
    /// When the thread's events could be recorded again, or when the thread ended.
    pub until: Time,
    /// How many starts and resumptions of calls are missing.
    pub starts: u64,
    /// How many ends and suspensions of calls are missing.
    pub ends: u64,
}

impl Gap {
    /// How many events are missing.
    pub fn lost(&self) -> u64 {
        self.starts.saturating_add(self.ends)
    }
}

/// What a recording counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Recorded activations.
    pub calls: u64,
    /// Of these, the scope's.
    pub internal: u64,
    /// Of these, code outside the scope.
    pub external: u64,
    /// Of these, import activity.
    pub imports: u64,
    /// Threads that ran any of them.
    pub threads: u64,
    /// Events that could not be recorded.
    pub lost: u64,
    /// Of the calls, those that started in compiled code, see [`Call::start_inferred`].
    pub starts_inferred: u64,
    /// Whether generators or coroutines are among the calls of processes that had their JIT on: how often
    /// they went on in compiled code is not known.
    pub may_lack_resumptions: bool,
    /// Stacks whose outermost frames could not be recorded: depths count from there.
    pub cut: u64,
}

impl Totals {
    /// The count of the calls of a category.
    fn of(&mut self, category: Category) -> &mut u64 {
        match category {
            Category::Internal => &mut self.internal,
            Category::External => &mut self.external,
            Category::Import => &mut self.imports,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_last_component() {
        for (file, name) in [
            ("/p/train.py", "train.py"),
            ("train.py", "train.py"),
            ("C:\\p\\train.py", "train.py"),
            ("/p/", "p"),
            ("/", "/"),
            ("", ""),
        ] {
            let code = Code {
                name: "f".into(),
                file: file.into(),
                line: 1,
                kind: Kind::Function,
                category: Category::Internal,
            };
            assert_eq!(code.file_name(), name);
        }
    }
}
