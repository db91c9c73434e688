//! Processes pinned to a core, and what Linux tells about them in `/proc`. Linux only.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// A server of ours or a yardstick. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Kept open, so that the server can go on writing.
    _output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

impl Server {
    /// Starts a program that prints `{"listening":"ADDRESS"}` as its first line.
    pub(crate) async fn start(core: usize, program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = pinned(core, program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?);
        let mut line = String::new();
        output.read_line(&mut line).await?;
        let said: serde_json::Value = serde_json::from_str(&line)
            .with_context(|| format!("{} did not say where it listens", program.display()))?;
        let address = said.get("listening").and_then(serde_json::Value::as_str);
        let address = address.context("no `listening`")?.parse()?;
        let pid = child.id().context("it ended at once")?;
        Ok(Self { child, _output: output, address, pid })
    }

    /// Asks it to end, as a service manager does, and waits.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        ensure!(asked.success(), "the server was gone before it was stopped");
        self.child.wait().await?;
        Ok(())
    }
}

/// A command on one core. `taskset` becomes the program, so the process id is the program's.
pub(crate) fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// User and system time of a process, in seconds; Linux counts in hundredths.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("an odd /proc/PID/stat")?;
    let mut ticks = fields.split(' ').skip(11);
    let mut next =
        || -> Result<f64> { Ok(ticks.next().context("a short /proc/PID/stat")?.parse()?) };
    Ok((next()? + next()?) / 100.0)
}

/// Resident memory of a process, in MB (a million bytes).
pub(crate) fn memory_mb(pid: u32) -> Result<f64> {
    let kib: f64 =
        field(&read(&format!("/proc/{pid}/status"))?, "VmRSS")?.trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// The machine in one sentence: processor, cores, memory, kernel.
pub(crate) fn machine() -> Result<String> {
    let cpu = read("/proc/cpuinfo")?;
    let all = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let model = field(&cpu, "model name").unwrap_or_else(|_| "an unnamed processor".to_owned());
    let kib: f64 = field(&read("/proc/meminfo")?, "MemTotal")?.trim_end_matches(" kB").parse()?;
    let kernel = read("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{model}, {all} cores, {:.1} GiB of memory, Linux {}",
        kib / 1024.0 / 1024.0,
        kernel.trim()
    ))
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.to_owned())
}

/// The value of the first line `name: value`.
fn field(text: &str, name: &str) -> Result<String> {
    let line = text.lines().find(|line| line.starts_with(name));
    let (_, value) = line.and_then(|line| line.split_once(':')).with_context(|| name.to_owned())?;
    Ok(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_about_this_process() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        assert!(memory_mb(pid).unwrap() > 0.5);
        assert!(machine().unwrap().contains("GiB of memory"));
        assert!(cpu_seconds(0).is_err());
    }
}
