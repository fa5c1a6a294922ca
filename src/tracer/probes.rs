//! The probes of processes, and how they are taken away again.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use libbpf_rs::Link;

/// The probes of one process; dropping it removes them.
#[derive(Debug)]
pub struct Probes {
    pub(super) links: Vec<Link>,
}

impl Drop for Probes {
    fn drop(&mut self) {
        remove_links(std::mem::take(&mut self.links));
    }
}

impl Probes {
    /// Removes the probes of many processes.
    pub fn remove_all(probes: impl Iterator<Item = Probes>) {
        remove_links(
            probes
                .flat_map(|mut probes| std::mem::take(&mut probes.links))
                .collect(),
        );
    }
}

/// Takes links away. To close one takes the kernel an RCU grace period, some 40 ms, during which
/// it only waits: those who wait at the same time share it.
fn remove_links(mut links: Vec<Link>) {
    const AT_ONCE: usize = 128;
    /// What closing a descriptor takes, and to spare.
    const STACK: usize = 64 << 10;
    while !links.is_empty() {
        let waiting = links.split_off(links.len().saturating_sub(AT_ONCE));
        thread::scope(|scope| {
            for link in waiting {
                // Where no thread can be had, the closure and its link are dropped here.
                let thread = thread::Builder::new().stack_size(STACK);
                let _ = thread.spawn_scoped(scope, move || drop(link));
            }
        });
    }
}

/// Removes the probes of processes that have ended or run something else now, in a thread of its
/// own: whoever waits for pytrace meanwhile shall not wait for that.
#[derive(Debug, Default)]
pub struct Remover {
    running: Option<(Sender<Probes>, JoinHandle<()>)>,
}

impl Remover {
    /// Removes them, sooner or later.
    pub fn remove(&mut self, probes: Probes) {
        if self.running.is_none() {
            let (sender, receiver) = channel();
            let thread = thread::Builder::new().spawn(move || remove_as_they_come(&receiver));
            self.running = thread.ok().map(|thread| (sender, thread));
        }
        if let Some((sender, _)) = &self.running {
            // Whatever can't be sent is dropped here, which removes it as well.
            let _ = sender.send(probes);
        }
    }
}

impl Drop for Remover {
    /// Waits until all of them are gone.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.running.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

fn remove_as_they_come(receiver: &Receiver<Probes>) {
    while let Ok(first) = receiver.recv() {
        Probes::remove_all(std::iter::once(first).chain(receiver.try_iter()));
    }
}
