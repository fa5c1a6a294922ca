//! Everything that knows CPython: which files hold an interpreter, where its
//! frames can be observed, and how its objects are laid out.
//!
//! Nothing here loads BPF or attaches anything. The product is a [`Plan`]: a list
//! of addresses, what it means when each is reached, and how to find the frame
//! there. The kernel programs know no versions; all they need is in the plan.

mod aliases;
mod debug_offsets;
mod derive;
mod elf;
mod environment;
mod evaluator;
mod executor;
mod exits;
mod file;
mod flow;
mod foreign;
mod frozen;
mod handlers;
#[cfg(test)]
mod hostile;
mod interpreter;
mod jit;
mod layout;
mod linker;
mod machine;
mod opcode;
mod plan;
mod remote;
mod request;
mod stack_pointer;
mod static_types;
mod stdlib;
mod table;
#[cfg(test)]
mod tests;
mod thread_list;
mod thread_state;
mod throw;
mod unwinds;
mod usdt;
mod version;
mod yields;

pub use derive::{
    Choice, PlanError, Problem, UsdtProblem, plan, plan_after, plan_compiled, plan_selective,
};
pub use elf::{ElfError, Machine};
pub use foreign::Foreign;
pub use interpreter::{Found, Interpreter, InterpreterError};
pub use jit::Jit;
pub use layout::{Attributes, Copies, Gil, Layout, Methods, Objects};
pub use linker::Linker;
pub use plan::{
    FrameSource, Meaning, Plan, PlanKind, Probe, Register, ThreadStateSource, Version, Way,
    Yielded, Yields,
};
pub use remote::Remote;
pub use request::Ready;
pub use static_types::StaticType;
pub use thread_list::ThreadList;
pub use usdt::Note;
