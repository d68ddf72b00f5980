// SPDX-License-Identifier: GPL-2.0-or-later
//! What the daemon may still do once it listens: no file is opened any more, no program is
//! started, nothing is connected to. It is set up before there are other threads, which
//! inherit it.

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use libc::c_long;
use log::info;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use thiserror::Error;

/// Why the daemon cannot be shut in.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// Landlock does not.
    #[error("Landlock: {0}")]
    Ruleset(#[from] landlock::RulesetError),
    /// A folder cannot be opened.
    #[error("Landlock: {0}")]
    Path(#[from] landlock::PathFdError),
    /// Seccomp does not.
    #[error("seccomp: {0}")]
    Filter(#[from] seccompiler::Error),
    /// The filter does not compile.
    #[error("seccomp: {0}")]
    Backend(#[from] seccompiler::BackendError),
}

/// System calls that the daemon makes once it listens. One that is missing here fails with
/// EPERM: a VM depends on the daemon, which therefore is not killed for it.
const CALLS: &[c_long] = &[
    // guest memory: regions that a hypervisor maps, their sizes, and holes in them
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_fallocate,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_lseek,
    // sockets
    libc::SYS_accept4,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    // files that are open, kicks and calls
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_dup,
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_poll,
    libc::SYS_ppoll,
    // threads, memory, time
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_prctl,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    // signals and the end
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Shuts the daemon in. It may remove its own sockets, at `sockets`, from their folders. A
/// kernel without Landlock, or with an older one, leaves it that much more.
pub fn enter(sockets: &[&Path]) -> Result<(), SandboxError> {
    landlock(sockets)?;
    let rules: BTreeMap<i64, _> = CALLS.iter().map(|&call| (call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into()?;
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)?;
    Ok(())
}

fn landlock(sockets: &[&Path]) -> Result<(), SandboxError> {
    let abi = ABI::V6;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    for socket in sockets {
        let folder = match socket.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let rule = PathBeneath::new(PathFd::new(folder)?, AccessFs::RemoveFile);
        rules = rules.add_rule(rule)?;
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => {}
        status => info!("Landlock is {status:?} by this kernel"),
    }
    Ok(())
}
