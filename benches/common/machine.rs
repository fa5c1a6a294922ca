//! The machine that figures are of.

pub(crate) fn print() {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("?", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let load = read("/proc/loadavg");
    println!("pytrace      {}", env!("CARGO_PKG_VERSION"));
    println!("machine      {model}, {cores} cores");
    println!("kernel       {}", read("/proc/sys/kernel/osrelease").trim());
    println!("load         {}", load.split(' ').next().unwrap_or("?"));
}
