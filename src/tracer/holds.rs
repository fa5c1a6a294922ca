//! Which processes have been stopped on the recording's behalf and nobody has let go.

use std::os::fd::{AsFd as _, BorrowedFd};

use anyhow::{Context as _, Result};
use libbpf_rs::{Link, MapCore as _, MapFlags, MapHandle, RingBuffer, RingBufferBuilder};
use nix::sys::signal::Signal;
use plain::Plain;

use crate::bpf::process::types;
use crate::trace::Time;

// SAFETY: plain integers; every bit pattern is a value.
unsafe impl Plain for types::watched {}
// SAFETY: as above.
unsafe impl Plain for types::stop {}
// SAFETY: as above.
unsafe impl Plain for types::pressure {}
// SAFETY: as above.
unsafe impl Plain for types::alarm {}

/// The one element of the map that says how a full ring is dealt with.
const PRESSURE: [u8; 4] = [0; 4];

/// The kernel programs' own account of whom they hold, and what user space says to it.
///
/// Two processes have it: pytrace, and the watchdog that lets go everyone should pytrace be unable
/// to.
#[derive(Debug)]
pub struct Holds {
    pub(super) targets: MapHandle,
    pub(super) released: MapHandle,
    pub(super) stops: MapHandle,
    pub(super) eased: MapHandle,
    pub(super) pressure: MapHandle,
    pub(super) alarms: MapHandle,
    /// Keeps the program attached that sees others' stops; `None`: the kernel has no such tracepoint.
    pub(super) foreign: Option<Link>,
}

/// A process that is stopped until it gets a SIGCONT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub pid: u32,
    /// When it was stopped.
    pub since: Time,
    /// What for.
    pub why: Why,
}

/// Why a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was born, or has begun a new program, and its probes are not on yet.
    Probes,
    /// The ring was half full.
    Room,
}

/// What the kernel programs tell the watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Pytrace has ended. From now on, nobody more is stopped.
    End,
    /// A process found the ring half full and must not be stopped by a signal.
    Halt {
        /// The process.
        pid: u32,
        /// What [`Holds::is_over`] knows this stop by.
        since: Time,
    },
}

impl Holds {
    /// What gives access to it.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [
            &self.targets,
            &self.released,
            &self.stops,
            &self.eased,
            &self.pressure,
            &self.alarms,
        ]
        .into_iter()
        .map(|map| map.as_fd())
        .chain(self.foreign.as_ref().map(|link| link.as_fd()))
    }

    /// The alarms; `sink` is called with each.
    pub fn alarms<'cb>(&self, mut sink: impl FnMut(Alarm) + 'cb) -> Result<RingBuffer<'cb>> {
        let mut builder = RingBufferBuilder::new();
        builder.add(&self.alarms, move |bytes| {
            let mut alarm = types::alarm::default();
            if plain::copy_from_bytes(&mut alarm, bytes).is_ok() {
                sink(match types::alarm_kind(alarm.kind) {
                    types::alarm_kind::ALARM_HALT => Alarm::Halt {
                        pid: alarm.tgid,
                        since: Time(alarm.time),
                    },
                    _ => Alarm::End,
                });
            }
            0
        })?;
        builder.build().context("failed to map the watchdog's ring")
    }

    /// Has processes stopped when the ring is half full, or not. Pytrace says so, and is there.
    pub fn set_lossless(&self, lossless: bool) {
        self.set_pressure(types::pressure {
            lossless: lossless.into(),
            ..types::pressure::default()
        });
    }

    /// Has nobody stopped any more: pytrace can't let them go.
    pub fn set_absent(&self) {
        self.set_pressure(types::pressure {
            absent: 1,
            ..types::pressure::default()
        });
    }

    fn set_pressure(&self, pressure: types::pressure) {
        // SAFETY: a struct without holes.
        let pressure = unsafe { plain::as_bytes(&pressure) };
        // The one element of an array can't be missing.
        let _ = self.pressure.update(&PRESSURE, pressure, MapFlags::ANY);
    }

    /// Whether pytrace was taken for absent.
    pub fn is_absent(&self) -> bool {
        let pressure: Option<types::pressure> = value_of(&self.pressure, &PRESSURE);
        pressure.is_some_and(|pressure| pressure.absent != 0)
    }

    /// Notes that a stop is over. To be called before the process goes on, so that it can be stopped
    /// anew.
    pub fn release(&self, held: Held) {
        let map = match held.why {
            Why::Probes => &self.released,
            Why::Room => &self.eased,
        };
        // Without that, the process is taken for held still: by the watchdog alone.
        let key = held.pid.to_ne_bytes();
        let _ = map.update(&key, &held.since.0.to_ne_bytes(), MapFlags::ANY);
    }

    /// Notes that we stop a process ourselves, now, with a SIGSTOP that comes next.
    pub fn enter(&self, pid: u32, now: Time) -> Held {
        let stop = types::stop {
            time: now.0,
            due: 1,
            ..types::stop::default()
        };
        // SAFETY: a struct without holes.
        let stop = unsafe { plain::as_bytes(&stop) };
        // Without that, it stays stopped should pytrace be killed in the next moment.
        let _ = self.stops.update(&pid.to_ne_bytes(), stop, MapFlags::ANY);
        Held {
            pid,
            since: now,
            why: Why::Room,
        }
    }

    /// Whether somebody else wants a process that we have stopped to be stopped, whatever we do; `None`: it
    /// is not known.
    pub fn is_wanted_stopped(&self, pid: u32) -> Option<bool> {
        Some(self.stop(pid)?.wanted & bit(Signal::SIGSTOP) != 0)
    }

    /// Whether somebody else has let a process go on that we have stopped; `None`: it is not known.
    pub fn is_let_go(&self, pid: u32) -> Option<bool> {
        let stop = self.stop(pid)?;
        Some(stop.let_go != 0 || (stop.held == 0 && stop.due == 0))
    }

    /// Whether a SIGSTOP of ours is still to come: the kernel may leave it to an interrupt.
    pub fn is_due(&self, pid: u32) -> bool {
        self.stop(pid).is_some_and(|stop| stop.due != 0)
    }

    /// Whether it is known what others do about the stops of processes.
    pub fn sees_others(&self) -> bool {
        self.foreign.is_some()
    }

    /// A signal that the process is to be sent on somebody else's behalf, as one of ours has undone theirs.
    pub fn owed(&self, pid: u32) -> Option<Signal> {
        let owed = self.stop(pid)?.owed;
        // SIGCONT is the first of them: what it takes away is owed anew.
        let first = owed.trailing_zeros().cast_signed() + 1;
        Signal::try_from(first).ok()
    }

    /// Forgets what others want of a process that we do not hold: what comes next is to end their stop.
    pub fn forget(&self, pid: u32) {
        // Not there is as good.
        let _ = self.stops.delete(&pid.to_ne_bytes());
    }

    /// How a process that we have stopped stands, as far as others' signals are seen.
    fn stop(&self, pid: u32) -> Option<types::stop> {
        self.foreign.as_ref()?;
        value_of(&self.stops, &pid.to_ne_bytes())
    }

    /// Whether a process that was held then is so still, by all that was said: the watchdog may have
    /// let it go.
    pub fn is_held(&self, held: Held) -> bool {
        let map = match held.why {
            Why::Probes => &self.released,
            Why::Room => &self.eased,
        };
        time_in(map, &held.pid.to_ne_bytes()) != Some(held.since)
    }

    /// Whether a process that was stopped for the ring's sake at that time has been let go.
    pub fn is_over(&self, pid: u32, since: Time) -> bool {
        time_in(&self.eased, &pid.to_ne_bytes()).is_some_and(|eased| eased >= since)
    }

    /// The processes that are stopped until they get a SIGCONT.
    pub fn held(&self) -> Vec<Held> {
        let for_probes = |key: Vec<u8>| {
            let watched: types::watched = value_of(&self.targets, &key)?;
            let since = Time(watched.held);
            let is_held = watched.held != 0 && time_in(&self.released, &key) != Some(since);
            is_held.then_some(Held {
                pid: u32::from_ne_bytes(*key.first_chunk()?),
                since,
                why: Why::Probes,
            })
        };
        let for_room = |key: Vec<u8>| {
            let stop: types::stop = value_of(&self.stops, &key)?;
            let since = Time(stop.time);
            let signalled = stop.time != 0 && stop.asked == 0;
            let is_held = signalled && time_in(&self.eased, &key) != Some(since);
            is_held.then_some(Held {
                pid: u32::from_ne_bytes(*key.first_chunk()?),
                since,
                why: Why::Room,
            })
        };
        let mut held: Vec<Held> = self.targets.keys().filter_map(for_probes).collect();
        held.extend(self.stops.keys().filter_map(for_room));
        held
    }
}

/// A signal in the kernel programs' masks, which are of the first 32.
fn bit(signal: Signal) -> u32 {
    1 << (signal as i32 - 1)
}

fn value_of<T: Plain + Default>(map: &MapHandle, key: &[u8]) -> Option<T> {
    let bytes = map.lookup(key, MapFlags::ANY).ok()??;
    let mut value = T::default();
    plain::copy_from_bytes(&mut value, &bytes).ok()?;
    Some(value)
}

fn time_in(map: &MapHandle, key: &[u8]) -> Option<Time> {
    let bytes = map.lookup(key, MapFlags::ANY).ok()??;
    Some(Time(u64::from_ne_bytes(*bytes.first_chunk()?)))
}
