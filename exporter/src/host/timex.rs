//! The kernel's clock discipline, by `adjtimex`.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

/// Frequencies are in parts per million with 16 binary places.
const PARTS: f64 = 65_536.0 * 1e6;
const MICROS: f64 = 1e6;
const NANOS: f64 = 1e9;

pub(super) fn read(_: &Machine, _: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let failed = |err: std::io::Error| match err.kind() {
        // A container may be forbidden even to look at it.
        std::io::ErrorKind::PermissionDenied => Failure::Absent("right to ask the clock".into()),
        _ => Failure::Unreadable("the kernel's clock".into(), err),
    };
    let (state, clock) = ask().map_err(failed)?;
    encode(state, &clock, page);
    Ok(())
}

#[expect(unsafe_code, reason = "no safe crate of ours wraps adjtimex")]
fn ask() -> std::io::Result<(libc::c_int, libc::timex)> {
    // SAFETY: timex is made of integers only, for which zeroes are valid.
    let mut clock: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex that we own; modes 0 changes nothing.
    let state = unsafe { libc::adjtimex(&raw mut clock) };
    if state < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok((state, clock))
}

fn encode(state: libc::c_int, clock: &libc::timex, page: &mut Writer) {
    let fine = if clock.status & libc::STA_NANO != 0 {
        NANOS
    } else {
        MICROS
    };
    let in_step = f64::from(u8::from(state != libc::TIME_ERROR));
    let value = |number: libc::c_long| number as f64;
    for (name, help, value) in [
        ("sync_status", "Whether the clock is kept in step.", in_step),
        (
            "status",
            "The clock's status bits.",
            f64::from(clock.status),
        ),
        (
            "offset_seconds",
            "How far the clock is off its reference.",
            value(clock.offset) / fine,
        ),
        (
            "frequency_adjustment_ratio",
            "How much faster than uncorrected the clock runs.",
            1.0 + value(clock.freq) / PARTS,
        ),
        (
            "maxerror_seconds",
            "The largest error there can be.",
            value(clock.maxerror) / MICROS,
        ),
        (
            "estimated_error_seconds",
            "The error to be expected.",
            value(clock.esterror) / MICROS,
        ),
        (
            "loop_time_constant",
            "The time constant of the control loop.",
            value(clock.constant),
        ),
        (
            "tick_seconds",
            "Seconds between ticks.",
            value(clock.tick) / MICROS,
        ),
        (
            "tai_offset_seconds",
            "How far atomic time is ahead.",
            f64::from(clock.tai),
        ),
        (
            "pps_frequency_hertz",
            "Frequency of the pulse.",
            value(clock.ppsfreq) / PARTS,
        ),
        (
            "pps_jitter_seconds",
            "Jitter of the pulse.",
            value(clock.jitter) / fine,
        ),
        (
            "pps_shift_seconds",
            "Interval of the pulse.",
            f64::from(clock.shift),
        ),
        (
            "pps_stability_hertz",
            "Stability of the pulse.",
            value(clock.stabil) / PARTS,
        ),
    ] {
        page.single(&format!("node_timex_{name}"), help, Kind::Gauge, value);
    }
    for (name, help, value) in [
        (
            "pps_jitter_total",
            "Pulses with too much jitter.",
            clock.jitcnt,
        ),
        (
            "pps_calibration_total",
            "Calibrations by the pulse.",
            clock.calcnt,
        ),
        ("pps_error_total", "Calibrations that failed.", clock.errcnt),
        (
            "pps_stability_exceeded_total",
            "Pulses that were too unstable.",
            clock.stbcnt,
        ),
    ] {
        page.single(
            &format!("node_timex_{name}"),
            help,
            Kind::Counter,
            value as f64,
        );
    }
}
