//! What this machine allows: looked at before a recording, and printed by `pytrace doctor`.

mod rights;

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::anyhow;

use crate::error::WithHint;
use crate::user::confine::{has_seccomp, landlock_abi};

pub use rights::Right;

/// A kernel release's first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion(pub u32, pub u32);

/// The oldest that pytrace was tried on; a ring buffer is in 5.8 already.
const OLDEST: KernelVersion = KernelVersion(5, 10);

/// The names in the kernel's type information take a megabyte or two.
const TYPE_NAMES_MAX: u32 = 64 << 20;

/// What a machine allows. Which of the kernel's abilities exist is looked up in its type
/// information where that can be read, so that a distribution's backports count; else it follows
/// from the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `uname -r`.
    pub release: String,
    /// Its numbers, where it begins with two.
    pub version: Option<KernelVersion>,
    /// What pytrace was built for, and so what it can trace: `x86_64`, ...
    pub arch: &'static str,
    /// Whether the kernel publishes its type information.
    pub btf: bool,
    /// Effective user id.
    pub euid: u32,
    /// Effective capabilities, one bit each.
    pub capabilities: u64,
    /// `BPF_MAP_TYPE_RINGBUF` (5.8).
    pub ring_buffer: bool,
    /// One probe can tell its places apart by a cookie (5.15).
    pub attach_cookies: bool,
    /// One link attaches many probes (6.6).
    pub uprobe_multi: bool,
    /// Whether system calls can be filtered, and the version of landlock, which restricts access to
    /// files; without either, pytrace goes on with more rights than it needs.
    pub seccomp: bool,
    /// See above.
    pub landlock: Option<i32>,
    /// Whether ids of processes are not those of the whole machine, by which kernel programs know them.
    pub inner_pids: bool,
    /// Whether a hypervisor runs it: then it costs 10 us to have a thread execute a single
    /// instruction, otherwise 1.
    pub virtual_machine: bool,
    /// The kernel's lockdown mode: `none`, `integrity`, `confidentiality`; `None` where there is
    /// none or it can't be read.
    pub lockdown: Option<String>,
    /// `kernel.perf_event_paranoid`; no matter to root.
    pub perf_event_paranoid: Option<i32>,
    /// `kernel.unprivileged_bpf_disabled`; no matter to root.
    pub unprivileged_bpf_disabled: Option<i32>,
}

impl Machine {
    /// Looks at this machine. What can't be read counts as absent.
    pub fn look() -> Machine {
        let release = text("/proc/sys/kernel/osrelease").unwrap_or_default();
        let version = parse_release(&release);
        let btf_path = Path::new("/sys/kernel/btf/vmlinux");
        let names = ["bpf_ringbuf", "bpf_cookie", "bpf_uprobe_multi_link"];
        let found = type_names(btf_path).map(|types| find_names(&types, names));
        let able = |at: usize, since: KernelVersion| match &found {
            Some(found) => found[at],
            None => version >= Some(since),
        };
        Machine {
            ring_buffer: able(0, KernelVersion(5, 8)),
            attach_cookies: able(1, KernelVersion(5, 15)),
            uprobe_multi: able(2, KernelVersion(6, 6)),
            seccomp: has_seccomp(),
            landlock: landlock_abi(),
            inner_pids: has_inner_pids(),
            virtual_machine: virtual_machine(),
            btf: btf_path.exists(),
            version,
            release,
            arch: std::env::consts::ARCH,
            euid: nix::unistd::geteuid().as_raw(),
            capabilities: text("/proc/self/status")
                .and_then(|status| parse_capabilities(&status))
                .unwrap_or(0),
            lockdown: text("/sys/kernel/security/lockdown").and_then(|text| parse_lockdown(&text)),
            perf_event_paranoid: number("/proc/sys/kernel/perf_event_paranoid"),
            unprivileged_bpf_disabled: number("/proc/sys/kernel/unprivileged_bpf_disabled"),
        }
    }

    /// Whether a recording can work here.
    ///
    /// # Errors
    ///
    /// The first thing that stands in its way, with its cure.
    pub fn check_recording(&self) -> anyhow::Result<()> {
        if self.arch != "x86_64" {
            return Err(anyhow!(
                "this machine is {}: only x86-64 can be traced so far",
                self.arch
            ));
        }
        self.check_rights()?;
        if self.lockdown.as_deref() == Some("confidentiality") {
            return Err(anyhow!(
                "the kernel is locked down (confidentiality): BPF can't read memory"
            ))
            .hint("boot without lockdown=confidentiality");
        }
        if self.inner_pids {
            return Err(anyhow!(
                "pytrace runs in a container: processes have other ids here than the kernel's"
            ))
            .hint("record from the host, or start the container with its ids (docker --pid=host)");
        }
        if !self.ring_buffer || self.version.is_some_and(|version| version < OLDEST) {
            return Err(anyhow!("the kernel is too old: {}", self.release))
                .hint("Linux 5.10 or newer is needed");
        }
        if !self.btf {
            return Err(anyhow!(
                "the kernel has no type information: no /sys/kernel/btf/vmlinux"
            ))
            .hint("a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed");
        }
        Ok(())
    }

    /// Whether one link may hold many probes of a process: uprobe-multi with a working pid filter
    /// (Linux 6.10, commit 46ba0e49b642).
    pub fn multi_probes(&self) -> bool {
        self.uprobe_multi && self.version >= Some(KernelVersion(6, 10))
    }

    /// Whether a kernel program may send a signal to any process (Linux 6.13, 6280cf718db0).
    pub fn signals_tasks(&self) -> bool {
        self.version >= Some(KernelVersion(6, 13))
    }

    /// Whether programs that trace have stacks of their own (Linux 6.13, e00931c02568).
    pub fn private_stacks(&self) -> bool {
        self.version >= Some(KernelVersion(6, 13))
    }

    /// Whether maps of programs that trace must not grow (before Linux 6.1, 34dd3bad1a6f).
    pub fn preallocates(&self) -> bool {
        self.version < Some(KernelVersion(6, 1))
    }
}

impl fmt::Display for Machine {
    /// One line per ability, the last without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let setting = |value: Option<i32>| value.map_or("-".into(), |value| value.to_string());
        let arch = match self.arch {
            "x86_64" => "x86_64".into(),
            other => format!("{other} (only x86_64 so far)"),
        };
        let lockdown = self.lockdown.as_deref().unwrap_or("none");
        let mut lines = vec![
            ("kernel".to_owned(), self.release.clone()),
            ("architecture".to_owned(), arch),
        ];
        lines.extend(self.describe_rights());
        let landlock = match self.landlock {
            Some(abi) => format!("yes (version {abi})"),
            None => "no".to_owned(),
        };
        let others = [
            ("type information (BTF)", yes(self.btf).into()),
            ("ring buffer (5.8)", yes(self.ring_buffer).into()),
            ("attach cookies (5.15)", yes(self.attach_cookies).into()),
            ("uprobe-multi (6.6)", yes(self.uprobe_multi).into()),
            ("confined by seccomp", yes(self.seccomp).into()),
            ("confined by landlock", landlock),
            ("virtual machine", yes(self.virtual_machine).into()),
            ("lockdown", lockdown.into()),
            ("perf_event_paranoid", setting(self.perf_event_paranoid)),
            (
                "unprivileged_bpf_disabled",
                setting(self.unprivileged_bpf_disabled),
            ),
        ];
        lines.extend(others.map(|(name, value): (&str, String)| (name.to_owned(), value)));
        for (at, (name, value)) in lines.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{name:<26} {value}")?;
        }
        Ok(())
    }
}

/// CPUID leaf 1, ECX bit 31: never set by a processor itself (AMD64 Architecture Programmer's
/// Manual, volume 3, appendix E.3.2).
#[cfg(target_arch = "x86_64")]
fn virtual_machine() -> bool {
    std::arch::x86_64::__cpuid(1).ecx >> 31 != 0
}

#[cfg(not(target_arch = "x86_64"))]
fn virtual_machine() -> bool {
    false
}

/// Whether we are in a pid namespace that is not the first.
fn has_inner_pids() -> bool {
    // PROC_PID_INIT_INO of the kernel's `linux/proc_ns.h`.
    const FIRST: &str = "pid:[4026531836]";
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() != FIRST)
}

fn text(path: &str) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn number(path: &str) -> Option<i32> {
    text(path)?.parse().ok()
}

/// `6.1.0-18-amd64`, `5.15.0-rc1+`, `6.9-custom`.
fn parse_release(release: &str) -> Option<KernelVersion> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some(KernelVersion(
        numbers.next()?.parse().ok()?,
        numbers.next()?.parse().ok()?,
    ))
}

/// `CapEff:` of `/proc/PID/status`, hexadecimal.
fn parse_capabilities(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// `none [integrity] confidentiality`: the mode in brackets.
fn parse_lockdown(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

/// The strings of a file of type information (BTF). Only these are read: the kernel hands out the
/// file's 5 MB a page at a time.
fn type_names(path: &Path) -> Option<Vec<u8>> {
    // struct btf_header (Linux, include/uapi/linux/btf.h): u16 magic, u8 version, u8 flags, then
    // u32 each: hdr_len, type_off, type_len, str_off, str_len. Offsets count from the header's end.
    let file = File::open(path).ok()?;
    let mut head = [0; 24];
    file.read_exact_at(&mut head, 0).ok()?;
    let word = |at: usize| {
        head[at..]
            .first_chunk()
            .map(|bytes| u32::from_ne_bytes(*bytes))
    };
    let (header, offset, length) = (word(4)?, word(16)?, word(20)?);
    if u16::from_ne_bytes([head[0], head[1]]) != 0xeb9f || length > TYPE_NAMES_MAX {
        return None;
    }
    let mut strings = vec![0; length as usize];
    file.read_exact_at(&mut strings, u64::from(header) + u64::from(offset))
        .ok()?;
    Some(strings)
}

/// Which of `names` are among strings that each end with a null byte.
fn find_names<const N: usize>(strings: &[u8], names: [&str; N]) -> [bool; N] {
    let mut found = [false; N];
    for string in strings.split(|&byte| byte == 0) {
        for (found, name) in found.iter_mut().zip(names) {
            *found |= string == name.as_bytes();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::report;

    pub(super) fn good() -> Machine {
        Machine {
            release: "6.1.0-18-amd64".into(),
            version: Some(KernelVersion(6, 1)),
            arch: "x86_64",
            btf: true,
            euid: 0,
            capabilities: u64::MAX,
            ring_buffer: true,
            attach_cookies: true,
            uprobe_multi: false,
            seccomp: true,
            landlock: None,
            inner_pids: false,
            virtual_machine: false,
            lockdown: None,
            perf_event_paranoid: Some(3),
            unprivileged_bpf_disabled: Some(2),
        }
    }

    #[test]
    fn what_stands_in_the_way_is_said_in_one_line() {
        assert!(good().check_recording().is_ok());
        let integrity = Machine {
            lockdown: Some("integrity".into()),
            ..good()
        };
        assert!(integrity.check_recording().is_ok());
        for (machine, says) in [
            (
                Machine {
                    arch: "aarch64",
                    ..good()
                },
                "only x86-64",
            ),
            (
                Machine {
                    lockdown: Some("confidentiality".into()),
                    ..good()
                },
                "hint: boot without",
            ),
            (
                Machine {
                    ring_buffer: false,
                    release: "5.4.0".into(),
                    ..good()
                },
                "the kernel is too old: 5.4.0\nhint: Linux 5.10",
            ),
            (
                Machine {
                    version: Some(KernelVersion(5, 9)),
                    release: "5.9.0".into(),
                    ..good()
                },
                "the kernel is too old: 5.9.0\nhint: Linux 5.10",
            ),
            (
                Machine {
                    btf: false,
                    ..good()
                },
                "hint: a kernel built with",
            ),
        ] {
            let report = report(&machine.check_recording().unwrap_err());
            assert!(report.contains(says), "{report}");
        }
    }

    #[test]
    fn the_kernels_files_are_understood() {
        for (release, version) in [
            ("6.1.0-18-amd64", Some(KernelVersion(6, 1))),
            ("5.15.0-rc1+", Some(KernelVersion(5, 15))),
            ("6.9-custom", Some(KernelVersion(6, 9))),
            ("", None),
            ("6", None),
            ("x.1", None),
        ] {
            assert_eq!(parse_release(release), version, "{release}");
        }
        assert_eq!(
            parse_capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n"),
            Some(0x1ff_ffff_ffff)
        );
        assert_eq!(parse_capabilities("CapPrm:\t1\n"), None);
        let lockdown = parse_lockdown("none [integrity] confidentiality");
        assert_eq!(lockdown.as_deref(), Some("integrity"));
        assert_eq!(parse_lockdown(""), None);
        let types = b"\0a\0bpf_cookie\0bpf_links\0xbpf_map\0";
        let names = ["bpf_cookie", "bpf_link", "bpf_map"];
        assert_eq!(find_names(types, names), [true, false, false]);
    }

    #[test]
    fn the_report_has_a_line_for_each_ability() {
        let report = good().to_string();
        assert_eq!(report.lines().count(), 13);
        assert!(
            report.starts_with("kernel                     6.1.0-18-amd64\n"),
            "{report}"
        );
        assert!(
            report.contains("uprobe-multi (6.6)         no\n"),
            "{report}"
        );
        assert!(!Machine::look().release.is_empty());
    }
}
