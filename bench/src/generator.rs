//! The CPU share of the load generator: this process runs in a control group of its own, so that the threads of its
//! clients do not compete one by one with the processes of the shop.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The name of the group.
const NAME: &str = "souk-bench";

/// Eight times the weight of one process: a client that has to wait for the CPU would measure itself. What the
/// generator does not use is the shop's.
const V1_SHARES: &str = "8192";
const V2_WEIGHT: &str = "800";

/// The membership of this process in its group. Dropping it returns the process to its former group and removes the
/// group.
pub struct Share {
    group: PathBuf,
    former: PathBuf,
    name: String,
}

/// A hierarchy of control groups that can weight the CPU.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    version: u8,
    mount: PathBuf,
    /// The group of this process.
    own: PathBuf,
}

impl Share {
    /// Enters the group. Threads that are started later belong to it, and so do child processes.
    pub fn enter() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").context("no control groups on this system")?;
        let groups = fs::read_to_string("/proc/self/cgroup").context("no control groups on this system")?;
        let mut reasons = Vec::new();
        for hierarchy in hierarchies(&mounts, &groups) {
            match hierarchy.enter() {
                Ok(share) => return Ok(share),
                Err(error) => reasons.push(format!("cgroup v{}: {error:#}", hierarchy.version)),
            }
        }
        anyhow::ensure!(!reasons.is_empty(), "no control groups for the CPU are mounted");
        anyhow::bail!("{}", reasons.join("; "))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let left = move_to(&self.former).and_then(|()| remove(&self.group));
        if let Err(error) = left {
            eprintln!("the control group of the load generator is left behind: {error:#}");
        }
    }
}

impl Hierarchy {
    fn enter(&self) -> Result<Share> {
        let (file, value) = if self.version == 1 { ("cpu.shares", V1_SHARES) } else { ("cpu.weight", V2_WEIGHT) };
        let group = self.parent().join(NAME);
        // One may be left of a killed run.
        if !group.exists() {
            fs::create_dir(&group).with_context(|| group.display().to_string())?;
        }
        let entered = write(&group.join(file), value).and_then(|()| move_to(&group));
        if let Err(error) = entered {
            remove(&group)?;
            return Err(error);
        }
        let name = format!("cgroup v{} {}, {file} {value}", self.version, group.display());
        Ok(Share { group, former: self.own.clone(), name })
    }

    /// The group in which to create the new one. Of version 2, a group that has processes may have no groups that
    /// divide its CPU, except the root: the new one becomes a sibling.
    fn parent(&self) -> &Path {
        match self.own.parent() {
            Some(parent) if self.version == 2 && self.own != self.mount => parent,
            _ => &self.own,
        }
    }
}

fn move_to(group: &Path) -> Result<()> {
    write(&group.join("cgroup.procs"), &std::process::id().to_string())
}

fn write(file: &Path, text: &str) -> Result<()> {
    // Never creates: a missing file means that the controller is not enabled there.
    let mut options = fs::OpenOptions::new();
    let written =
        options.write(true).open(file).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.with_context(|| file.display().to_string())
}

fn remove(group: &Path) -> Result<()> {
    fs::remove_dir(group).with_context(|| group.display().to_string())
}

/// Finds the hierarchies in `/proc/self/mountinfo` and the groups of this process in `/proc/self/cgroup`: version 2
/// first, which may be mounted without a CPU controller beside version 1.
fn hierarchies(mounts: &str, groups: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = mounts.lines().filter_map(|line| hierarchy(line, groups)).collect();
    found.sort_by_key(|hierarchy| std::cmp::Reverse(hierarchy.version));
    found
}

fn hierarchy(mount: &str, groups: &str) -> Option<Hierarchy> {
    let (place, kind) = mount.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, mount) = (place.next()?, PathBuf::from(place.next()?));
    let mut kind = kind.split(' ');
    let (version, is_ours): (u8, fn(&str) -> bool) = match kind.next()? {
        "cgroup2" => (2, str::is_empty),
        "cgroup" if kind.nth(1)?.split(',').any(|option| option == "cpu") => (1, has_cpu),
        _ => return None,
    };
    let path = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        is_ours(controllers).then_some(path)
    })?;
    // Inside a container, the mount shows a part of the hierarchy only.
    let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or_default().trim_start_matches('/');
    let own = if below.is_empty() { mount.clone() } else { mount.join(below) };
    Some(Hierarchy { version, mount, own })
}

fn has_cpu(controllers: &str) -> bool {
    controllers.split(',').any(|controller| controller == "cpu")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";

    #[test]
    fn both_versions_are_found_the_second_first() {
        let groups = "3:cpuset:/\n2:cpu,cpuacct:/user/bench\n0::/user/bench\n";
        let own = |version, mount: &str| {
            let mount = PathBuf::from(mount);
            Hierarchy { version, own: mount.join("user/bench"), mount }
        };
        let found = hierarchies(MOUNTS, groups);
        assert_eq!(found, [own(2, "/sys/fs/cgroup/unified"), own(1, "/sys/fs/cgroup/cpu,cpuacct")]);
        assert_eq!(found[0].parent(), Path::new("/sys/fs/cgroup/unified/user"));
        assert_eq!(found[1].parent(), Path::new("/sys/fs/cgroup/cpu,cpuacct/user/bench"));
    }

    #[test]
    fn the_root_of_a_mount_is_the_parent_itself() {
        let found = hierarchies(MOUNTS, "2:cpu,cpuacct:/\n0::/\n");
        assert!(found.iter().all(|hierarchy| hierarchy.parent() == hierarchy.mount), "{found:?}");
    }

    #[test]
    fn the_part_of_a_hierarchy_that_a_container_shows_is_its_mount() {
        let mount = "50 40 0:31 /docker/ab /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu";
        let found = hierarchies(mount, "1:cpu:/docker/ab\n");
        assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/cpu"));
        assert!(hierarchies(mount, "1:memory:/\n").is_empty());
    }
}
