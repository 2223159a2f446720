//! What is written into groups of version 1.

use super::{Setting, quota};
use crate::instance::confine::plan::Bounds;

pub fn settings(bounds: &Bounds) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some(bytes) = bounds.memory {
        // Else what does not fit would go to the disk. Memory with swap is counted only if the kernel was told to.
        settings.push(Setting::where_there("memory.swappiness", 0));
        settings.push(Setting::needed("memory.limit_in_bytes", bytes));
        settings.push(Setting::where_there("memory.memsw.limit_in_bytes", bytes));
    }
    if let Some(millis) = bounds.cpu_millis {
        let (quota, period) = quota(millis);
        settings.push(Setting::needed("cpu.cfs_period_us", period));
        settings.push(Setting::needed("cpu.cfs_quota_us", quota));
    }
    if let Some(number) = bounds.processes {
        settings.push(Setting::needed("pids.max", number));
    }
    settings
}
