//! Cores, limits, pages: what the operating system gives this process.

use super::Check;
use ijk_core::Config;
use std::fs::read_to_string;
use std::path::Path;

/// Locked memory that a kernel of several instruments needs.
const MEMLOCK_BYTES: u64 = 256 << 20;
/// Open files a kernel needs at most: segments, sockets, rings.
const NOFILE: u64 = 1_024;

/// Every check of the machine.
pub fn all(config: &Config) -> Vec<Check> {
    let online = std::thread::available_parallelism().map_or(1, usize::from);
    let isolated = list(&first_line("/sys/devices/system/cpu/isolated"));
    vec![
        cores(online),
        isolated_cores(&isolated, config),
        governor(Path::new("/sys/devices/system/cpu")),
        clock_source(),
        limit("locked memory", "Max locked memory", MEMLOCK_BYTES, MEMLOCK_FIX),
        limit("open files", "Max open files", NOFILE, "LimitNOFILE=4096 in the unit, or ulimit -n"),
        realtime(),
        huge_pages(),
        swap(&read_to_string("/proc/meminfo").unwrap_or_default()),
    ]
}

const MEMLOCK_FIX: &str =
    "LimitMEMLOCK=infinity in the unit (scripts/install.sh), or memlock in limits.conf(5)";

fn first_line(path: &str) -> String {
    read_to_string(path).unwrap_or_default().lines().next().unwrap_or_default().trim().to_string()
}

/// Reads a list such as `2-3,5` (cpuset(7)).
fn list(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(from), Ok(to)) = (from.trim().parse::<usize>(), to.trim().parse()) {
            found.extend(from..=to);
        }
    }
    found
}

fn cores(online: usize) -> Check {
    let detail = format!("{online} for this process");
    let fix = "at least two: one for the kernel thread, one for feed, journal and everything else";
    Check::advice("cores", online >= 2, detail, fix)
}

fn isolated_cores(isolated: &[usize], config: &Config) -> Check {
    let fix = "isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3 on the kernel's command \
               line, then kernel_core = 2 and feed_core = 3 under [runtime]";
    let core = config.runtime.kernel_core;
    let named = usize::try_from(core).ok();
    let (ok, detail) = match (isolated, named) {
        ([], _) => (false, "none: latencies share the core with everything else".to_string()),
        (some, Some(core)) if some.contains(&core) => {
            (true, format!("{some:?}; the kernel thread runs on {core}"))
        }
        (some, _) => (false, format!("{some:?}, but runtime.kernel_core is {core}")),
    };
    Check::advice("isolated cores", ok, detail, fix)
}

fn governor(cpus: &Path) -> Check {
    let mut slow = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(cpus).into_iter().flatten().flatten() {
        let path = entry.path().join("cpufreq/scaling_governor");
        let Ok(text) = read_to_string(path) else { continue };
        seen += 1;
        if text.trim() != "performance" {
            slow.push(format!("{} {}", entry.file_name().to_string_lossy(), text.trim()));
        }
    }
    slow.sort();
    let detail = match (seen, slow.as_slice()) {
        (0, _) => "the system shows none (virtual machine or fixed frequency)".to_string(),
        (_, []) => "performance on every core".to_string(),
        (_, slow) => slow.join(", "),
    };
    let fix = "cpupower frequency-set -g performance";
    Check::advice("governor", slow.is_empty(), detail, fix)
}

fn clock_source() -> Check {
    let source = first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let fix =
        "clocksource=tsc tsc=reliable on the kernel's command line, if the CPU's is invariant";
    Check::advice("clock source", source == "tsc", format!("'{source}'"), fix)
}

/// Returns the soft limit of a line of proc_pid_limits(5); `None` is no limit.
fn soft_limit(limits: &str, line: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|l| l.strip_prefix(line))?;
    let soft = rest.split_whitespace().next()?;
    if soft == "unlimited" { None } else { Some(soft.parse().unwrap_or(0)) }
}

fn limit(name: &'static str, line: &str, least: u64, fix: &'static str) -> Check {
    let limits = read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = if limits.contains(line) { soft_limit(&limits, line) } else { Some(0) };
    let said = soft.map_or_else(|| "unlimited".to_string(), |n| n.to_string());
    let ok = soft.is_none_or(|n| n >= least);
    Check::advice(name, ok, format!("limit {said}, at least {least} wanted"), fix)
}

fn realtime() -> Check {
    let limits = read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = soft_limit(&limits, "Max realtime priority");
    let said = soft.map_or_else(|| "unlimited".to_string(), |n| n.to_string());
    let fix = "nothing on isolated cores; else LimitRTPRIO=50 and CPUSchedulingPolicy=fifo in a \
               drop-in of the unit, never with runtime.wait = \"spin\"";
    let detail = format!("priority limit {said}");
    Check::advice("real time", soft != Some(0), detail, fix)
}

fn huge_pages() -> Check {
    let mode = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
    let on = !mode.contains("[never]") && !mode.is_empty();
    let fix = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
    Check::advice("huge pages", on, mode, fix)
}

fn swap(meminfo: &str) -> Check {
    let total = meminfo.lines().find_map(|l| l.strip_prefix("SwapTotal:"));
    let kib = total.and_then(|t| t.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0);
    let fix = "MemorySwapMax=0 (in the unit) or swapoff -a: a page on disk costs milliseconds";
    Check::advice("swap", kib == 0, format!("{} MiB", kib / 1_024), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_read_as_the_kernel_lists_them() {
        for (text, cores) in [
            ("", vec![]),
            ("3", vec![3]),
            ("2-4,7", vec![2, 3, 4, 7]),
            ("x,1-,5", vec![5]),
            ("4-2", vec![]),
        ] {
            assert_eq!(list(text), cores, "{text}");
        }
        let mut config = Config::default();
        assert!(!isolated_cores(&[2, 3], &config).ok, "isolated, but not used");
        config.runtime.kernel_core = 3;
        assert!(isolated_cores(&[2, 3], &config).ok);
        assert!(!isolated_cores(&[], &config).ok);
    }

    #[test]
    fn limits_and_swap_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max locked memory         8388608              unlimited            bytes\n\
                      Max open files            unlimited            unlimited            files\n";
        assert_eq!(soft_limit(limits, "Max locked memory"), Some(8_388_608));
        assert_eq!(soft_limit(limits, "Max open files"), None);
        assert!(swap("SwapTotal:             0 kB\n").ok);
        assert!(!swap("MemTotal: 1 kB\nSwapTotal:       2048 kB\n").ok);
    }

    #[test]
    fn one_slow_core_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(governor(dir.path()).ok, "nothing to see is nothing to fix");
        for (cpu, mode) in [("cpu0", "performance\n"), ("cpu1", "powersave\n")] {
            let folder = dir.path().join(cpu).join("cpufreq");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("scaling_governor"), mode).unwrap();
        }
        let found = governor(dir.path());
        assert!(!found.ok && found.detail == "cpu1 powersave", "{}", found.detail);
    }
}
