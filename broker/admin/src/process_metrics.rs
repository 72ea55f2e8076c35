//! What the kernel says of this process, under the names every Prometheus client library uses.
//! Shell: reads `/proc/self` when a scrape asks. Where there is none, the figures stay 0.

use std::path::Path;
use std::sync::Arc;

use ottla_env::{Disk, OpenMode};
use parking_lot::Mutex;
use prometheus::{Counter, Gauge, IntGauge, Registry};

/// Clock ticks a second in `/proc`, part of Linux's interface to programs.
const TICKS_PER_SECOND: f64 = 100.0;

pub struct ProcessMetrics {
    disk: Arc<dyn Disk>,
    cpu_seconds: Counter,
    /// What the counter says, since a counter only knows what is added.
    counted_cpu_seconds: Mutex<f64>,
    resident_bytes: IntGauge,
    virtual_bytes: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    threads: IntGauge,
    disk_read_bytes: IntGauge,
    disk_write_bytes: IntGauge,
}

/// What `/proc/self/stat` and `/proc/self/status` say.
#[derive(Debug, Default, PartialEq)]
struct Figures {
    cpu_seconds: f64,
    resident_bytes: i64,
    virtual_bytes: i64,
    threads: i64,
}

impl ProcessMetrics {
    /// `disk` must be the machine's own, also for a broker that keeps its data in memory.
    pub fn register(
        registry: &Registry,
        disk: Arc<dyn Disk>,
        start_wall_ms: i64,
    ) -> prometheus::Result<ProcessMetrics> {
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let cpu_seconds =
            Counter::new("process_cpu_seconds_total", "User and system CPU time spent in seconds.")?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        let start = Gauge::new("process_start_time_seconds", "Start of the process, in seconds since 1970.")?;
        start.set(start_wall_ms as f64 / 1000.0);
        registry.register(Box::new(start))?;
        Ok(ProcessMetrics {
            disk,
            cpu_seconds,
            counted_cpu_seconds: Mutex::new(0.0),
            resident_bytes: gauge("process_resident_memory_bytes", "Resident memory in bytes.")?,
            virtual_bytes: gauge("process_virtual_memory_bytes", "Virtual memory in bytes.")?,
            open_fds: gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: gauge("process_max_fds", "Most file descriptors that may be open.")?,
            threads: gauge("process_threads", "Threads of the process.")?,
            disk_read_bytes: gauge(
                "ottla_process_disk_read_bytes",
                "Bytes that the process had read from devices; what the page cache had is not in it.",
            )?,
            disk_write_bytes: gauge(
                "ottla_process_disk_write_bytes",
                "Bytes that the process has had written to devices.",
            )?,
        })
    }

    pub fn refresh(&self) {
        let stat = self.read("/proc/self/stat");
        let status = self.read("/proc/self/status");
        let Some(figures) = parse(&stat, &status) else { return };
        {
            let mut counted = self.counted_cpu_seconds.lock();
            self.cpu_seconds.inc_by((figures.cpu_seconds - *counted).max(0.0));
            *counted = counted.max(figures.cpu_seconds);
        }
        self.resident_bytes.set(figures.resident_bytes);
        self.virtual_bytes.set(figures.virtual_bytes);
        self.threads.set(figures.threads);
        if let Ok(entries) = self.disk.read_dir(Path::new("/proc/self/fd")) {
            self.open_fds.set(entries.len() as i64);
        }
        // Not there in every container.
        if let Some((read, written)) = device_bytes(&self.read("/proc/self/io")) {
            self.disk_read_bytes.set(read);
            self.disk_write_bytes.set(written);
        }
        if let Some(max) = max_fds(&self.read("/proc/self/limits")) {
            self.max_fds.set(max);
        }
    }

    /// A file of `/proc`: it has no length to ask for.
    fn read(&self, path: &str) -> String {
        let mut bytes = vec![0; 8192];
        let read =
            self.disk.open(Path::new(path), OpenMode::Read).and_then(|file| file.read_at(&mut bytes, 0));
        bytes.truncate(read.unwrap_or(0));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What went from and to devices, without what the page cache had (`read_bytes`, `write_bytes`).
fn device_bytes(io: &str) -> Option<(i64, i64)> {
    let line = |name: &str| io.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok();
    Some((line("read_bytes:")?, line("write_bytes:")?))
}

/// The soft limit; one that is `unlimited` is none.
fn max_fds(limits: &str) -> Option<i64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn parse(stat: &str, status: &str) -> Option<Figures> {
    // The second field is the name in brackets and may hold anything; the rest is plain.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    let line = |name: &str| -> Option<i64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    Some(Figures {
        cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        resident_bytes: line("VmRSS:")? * 1024,
        virtual_bytes: line("VmSize:")? * 1024,
        threads: line("Threads:")?,
    })
}

#[cfg(test)]
mod tests {
    use ottla_env::real::RealDisk;

    use super::*;

    #[test]
    fn figures_are_found_behind_a_strange_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 3 0 1 2 3";
        let status = "Name:\tx\nVmSize:\t   2048 kB\nVmRSS:\t   1024 kB\nThreads:\t3\n";
        let figures =
            Figures { cpu_seconds: 3.0, resident_bytes: 1 << 20, virtual_bytes: 2 << 20, threads: 3 };
        assert_eq!(parse(stat, status), Some(figures));
        assert_eq!(parse("", status), None);
        assert_eq!(parse(stat, "VmRSS:\tmany kB\n"), None);
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!((max_fds(limits), max_fds("Max open files unlimited")), (Some(1024), None));
        let io = "rchar: 9\nwchar: 8\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 7\n";
        assert_eq!((device_bytes(io), device_bytes("rchar: 9\n")), (Some((4096, 8192)), None));
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let metrics =
            ProcessMetrics::register(&Registry::new(), Arc::new(RealDisk), 5000).expect("names are free");
        metrics.refresh();
        assert!(metrics.resident_bytes.get() > 0);
        assert!(metrics.threads.get() > 0);
        assert!(metrics.open_fds.get() > 2);
        assert!(metrics.max_fds.get() >= metrics.open_fds.get());
    }
}
