//! Processes pinned to cores, and what Linux tells about them in `/proc`. Linux only.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// A server of ours, a yardstick or a peer. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Kept open, so that the server can go on writing.
    _output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// The cookie of a session, where the server made one and said so.
    pub(crate) cookie: Option<String>,
}

impl Server {
    /// Starts a program that prints `{"listening":"ADDRESS"}` as its first line.
    pub(crate) async fn start(cores: &str, program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = pinned(cores, program);
        command.args(arguments);
        Self::spawn(command).await.with_context(|| program.display().to_string())
    }

    /// The same with a command that was made by [`pinned`].
    pub(crate) async fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("it could not be started")?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?);
        let mut line = String::new();
        output.read_line(&mut line).await?;
        let said: serde_json::Value =
            serde_json::from_str(&line).context("it did not say where it listens")?;
        let text = |name| said.get(name).and_then(serde_json::Value::as_str);
        let address = text("listening").context("no `listening`")?.parse()?;
        let cookie = text("cookie").map(str::to_owned);
        let pid = child.id().context("it ended at once")?;
        Ok(Self { child, _output: output, address, pid, cookie })
    }

    /// Asks it to end, as a service manager does, and waits.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        ensure!(asked.success(), "the server was gone before it was stopped");
        self.child.wait().await?;
        Ok(())
    }
}

/// A command on these cores. `taskset` becomes the program, so the process id is the program's.
pub(crate) fn pinned(cores: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(cores).arg(program);
    command
}

/// User and system time of a process and those it started, in seconds; Linux counts in hundredths.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let mut seconds = times(pid)?.1;
    let all = std::fs::read_dir("/proc")?.flatten();
    let others = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // A process may end between the listing and the reading.
    let known: Vec<(u32, u32, f64)> = others
        .filter_map(|other| times(other).ok().map(|(parent, used)| (other, parent, used)))
        .collect();
    let mut family = vec![pid];
    while let Some(parent) = family.pop() {
        for (child, _, used) in known.iter().filter(|(_, of, _)| *of == parent) {
            family.push(*child);
            seconds += used;
        }
    }
    Ok(seconds)
}

/// The parent of a process, and the seconds that it used.
fn times(pid: u32) -> Result<(u32, f64)> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("an odd /proc/PID/stat")?;
    let mut fields = fields.split(' ').skip(1);
    let parent = fields.next().context("a short /proc/PID/stat")?.parse()?;
    let mut ticks = fields.skip(9);
    let mut next =
        || -> Result<f64> { Ok(ticks.next().context("a short /proc/PID/stat")?.parse()?) };
    Ok((parent, (next()? + next()?) / 100.0))
}

/// Resident memory of a process, in MB (a million bytes).
pub(crate) fn memory_mb(pid: u32) -> Result<f64> {
    status_mb(pid, "VmRSS")
}

/// The most that was resident since [`forget_peak`], or since the start.
pub(crate) fn peak_mb(pid: u32) -> Result<f64> {
    status_mb(pid, "VmHWM")
}

/// From now on, the peak is that of what comes.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    let file = format!("/proc/{pid}/clear_refs");
    std::fs::write(&file, "5").with_context(|| file.clone())
}

fn status_mb(pid: u32, name: &str) -> Result<f64> {
    let kib: f64 =
        field(&read(&format!("/proc/{pid}/status"))?, name)?.trim_end_matches(" kB").parse()?;
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
        assert!(peak_mb(pid).unwrap() >= memory_mb(pid).unwrap());
        assert!(machine().unwrap().contains("GiB of memory"));
        assert!(cpu_seconds(0).is_err());
    }
}
