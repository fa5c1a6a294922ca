//! The types that values name by address.

use rustc_hash::FxHashMap;

use crate::event::TypeRecord;

/// What is known of the types of all processes.
#[derive(Debug, Default)]
pub struct Types(FxHashMap<(u32, u64), Type>);

/// A type of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Its name as shown: with its module, where that says something.
    pub name: Box<str>,
    /// Its qualified name without its module.
    pub class: Box<str>,
    /// Whether it is an enumeration.
    pub enumeration: bool,
    /// Whether it was made by a class statement, or by C at run time.
    pub heap: bool,
    /// The names of its first slots, in the order of their values.
    pub slots: Box<[Box<str>]>,
}

impl Types {
    /// Takes a type in, in place of any that had its address.
    pub fn meet(&mut self, pid: u32, record: &TypeRecord) {
        self.0.insert((pid, record.address), Type::of(record));
    }

    /// Forgets the types of a process.
    pub fn forget(&mut self, pid: u32) {
        self.0.retain(|(of, _), _| *of != pid);
    }

    /// The type at an address.
    pub fn get(&self, pid: u32, address: u64) -> Option<&Type> {
        self.0.get(&(pid, address))
    }
}

impl Type {
    fn of(record: &TypeRecord) -> Type {
        let clean = |text: &str| text.replace(char::is_control, "\u{fffd}");
        let text = |text: &Option<crate::event::Text>| text.as_ref().map(|text| clean(&text.text));
        let (name, class) = match text(&record.qualname) {
            Some(class) => {
                // Those that C makes at run time have their module in their name, too.
                let own = clean(&record.name);
                let of_name = own
                    .strip_suffix(&*class)
                    .and_then(|it| it.strip_suffix('.'));
                let module = text(&record.module).or(of_name.map(str::to_owned));
                (qualify(&module.unwrap_or_default(), &class), class)
            }
            None => {
                let name = clean(&record.name);
                let class = name.rsplit('.').next().unwrap_or_default().to_owned();
                (name, class)
            }
        };
        Type {
            name: name.into(),
            class: class.into(),
            enumeration: record.enumeration,
            heap: record.heap,
            slots: record.slots.iter().map(|slot| clean(slot).into()).collect(),
        }
    }

    /// Its name alone: the last part of its qualified name.
    pub fn short(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }
}

/// A class's name with its module, as shown.
fn qualify(module: &str, class: &str) -> String {
    match module {
        "" | "builtins" | "__main__" => class.to_owned(),
        // Where their classes are defined is nothing that their users know.
        _ => match module.split('.').next() {
            Some(package @ ("torch" | "pandas")) => format!("{package}.{class}"),
            _ => format!("{module}.{class}"),
        },
    }
}
