//! The rights that a recording has and lacks, and what it costs to lack one.

use std::fmt;

use anyhow::anyhow;

use super::Machine;
use crate::error::WithHint as _;

/// A capability (`capabilities(7)`) that makes a difference to a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// `CAP_BPF`.
    Bpf,
    /// `CAP_PERFMON`.
    Perfmon,
    /// `CAP_SYS_ADMIN`.
    SysAdmin,
    /// `CAP_SYS_PTRACE`.
    SysPtrace,
    /// `CAP_KILL`.
    Kill,
    /// `CAP_CHECKPOINT_RESTORE`.
    CheckpointRestore,
}

impl Right {
    const ALL: [Right; 6] = [
        Right::Bpf,
        Right::Perfmon,
        Right::SysAdmin,
        Right::SysPtrace,
        Right::Kill,
        Right::CheckpointRestore,
    ];

    /// Its number in the kernel's `uapi/linux/capability.h`.
    fn number(self) -> u32 {
        match self {
            Right::Kill => 5,
            Right::SysPtrace => 19,
            Right::SysAdmin => 21,
            Right::Perfmon => 38,
            Right::Bpf => 39,
            Right::CheckpointRestore => 40,
        }
    }

    /// What can't be done without it.
    pub fn cost(self) -> &'static str {
        match self {
            Right::Bpf | Right::Perfmon => "no recording",
            Right::SysAdmin => "no recording, as this kernel has no uprobe-multi",
            Right::SysPtrace => {
                "only processes of your own, none that has rights of its own (setuid, capabilities) or \
                 an executable that you can't read"
            }
            Right::Kill => {
                "children that become another user's, as by sudo, are not held: first calls missed"
            }
            Right::CheckpointRestore => {
                "no libpython that was removed or replaced since it was loaded"
            }
        }
    }

    /// Whether nothing can be recorded without it.
    fn is_needed(self, machine: &Machine) -> bool {
        match self {
            Right::Bpf | Right::Perfmon => true,
            Right::SysAdmin => !machine.multi_probes(),
            // Root's programs have more rights than what is left to a confined recorder.
            Right::SysPtrace => machine.euid == 0,
            Right::Kill | Right::CheckpointRestore => false,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Right::Bpf => "CAP_BPF",
            Right::Perfmon => "CAP_PERFMON",
            Right::SysAdmin => "CAP_SYS_ADMIN",
            Right::SysPtrace => "CAP_SYS_PTRACE",
            Right::Kill => "CAP_KILL",
            Right::CheckpointRestore => "CAP_CHECKPOINT_RESTORE",
        })
    }
}

impl Machine {
    /// Whether we have it.
    pub fn has(&self, right: Right) -> bool {
        let has = |right: Right| self.capabilities & (1 << right.number()) != 0;
        // It stands for these by definition: they were split from it.
        let of_admin = matches!(
            right,
            Right::Bpf | Right::Perfmon | Right::CheckpointRestore
        );
        has(right) || of_admin && has(Right::SysAdmin)
    }

    /// The rights we don't have: those that every recording needs, then those that some do.
    pub fn missing_rights(&self) -> Vec<Right> {
        let missing = |right: &Right| {
            !self.has(*right) && (*right != Right::SysAdmin || right.is_needed(self))
        };
        Right::ALL.into_iter().filter(missing).collect()
    }

    /// Whether we have the rights without which nothing can be recorded.
    ///
    /// # Errors
    ///
    /// Those that are missing, and where to get them.
    pub(super) fn check_rights(&self) -> anyhow::Result<()> {
        let mut missing = self.missing_rights();
        missing.retain(|right| right.is_needed(self));
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing.iter().map(Right::to_string).collect();
        let names = names.join(", ");
        Err(if self.euid == 0 {
            anyhow!("root lacks rights here: {names}")
                .hint("in a container, start it with --privileged, or record from the host")
        } else {
            anyhow!("recording needs root or {names}").hint(
                "run it with sudo: sudo pytrace ...; `pytrace doctor` tells what each right is for",
            )
        })
    }

    /// The line about rights, and one for each that is missing.
    pub(super) fn describe_rights(&self) -> Vec<(String, String)> {
        let who = match self.euid {
            0 => "root".to_owned(),
            uid => format!("user {uid}"),
        };
        let missing = self.missing_rights();
        let rights = match missing.is_empty() {
            true if self.euid != 0 => format!("{who} with the capabilities needed"),
            true => who,
            false => format!("{who}, lacks {}", count(missing.len())),
        };
        let lacks = missing
            .into_iter()
            .map(|right| (format!("  no {right}"), right.cost().to_owned()));
        [("rights".to_owned(), rights)]
            .into_iter()
            .chain(lacks)
            .collect()
    }
}

fn count(rights: usize) -> String {
    match rights {
        1 => "one".to_owned(),
        several => several.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::report;
    use crate::preflight::tests::good;

    fn with(rights: &[Right]) -> Machine {
        let bits = rights.iter().map(|right| 1 << right.number());
        Machine {
            euid: 1000,
            capabilities: bits.sum(),
            uprobe_multi: true,
            version: Some(crate::preflight::KernelVersion(6, 10)),
            ..good()
        }
    }

    #[test]
    fn two_capabilities_are_enough_to_record_something() {
        let machine = with(&[Right::Bpf, Right::Perfmon]);
        assert!(machine.check_recording().is_ok());
        let report = machine.to_string();
        for line in [
            "rights                     user 1000, lacks 3\n",
            "  no CAP_SYS_PTRACE        only processes of your own",
            "  no CAP_KILL              children that become",
            "  no CAP_CHECKPOINT_RESTORE no libpython",
        ] {
            assert!(report.contains(line), "{report}");
        }
        let all = [
            Right::Bpf,
            Right::Perfmon,
            Right::SysPtrace,
            Right::Kill,
            Right::CheckpointRestore,
        ];
        let report = with(&all).to_string();
        assert!(
            report.contains("user 1000 with the capabilities needed\n"),
            "{report}"
        );
    }

    #[test]
    fn the_rights_without_which_nothing_works_are_named() {
        for (machine, says) in [
            (
                with(&[]),
                "pytrace: recording needs root or CAP_BPF, CAP_PERFMON\nhint: run it with sudo",
            ),
            (
                with(&[Right::Bpf]),
                "pytrace: recording needs root or CAP_PERFMON\n",
            ),
            (
                Machine {
                    uprobe_multi: false,
                    ..with(&[Right::Bpf, Right::Perfmon])
                },
                "pytrace: recording needs root or CAP_SYS_ADMIN\n",
            ),
            (
                Machine {
                    euid: 0,
                    ..with(&[])
                },
                "pytrace: root lacks rights here: CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE\nhint: in",
            ),
        ] {
            let report = report(&machine.check_recording().unwrap_err());
            assert!(report.starts_with(says), "{report}");
        }
    }

    #[test]
    fn the_old_right_to_everything_stands_for_what_was_split_from_it() {
        let machine = with(&[Right::SysAdmin]);
        assert!(machine.has(Right::Bpf) && machine.has(Right::Perfmon));
        assert!(!machine.has(Right::SysPtrace) && !machine.has(Right::Kill));
        assert!(machine.check_recording().is_ok());
    }
}
