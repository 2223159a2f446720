//! Chance, kept apart from what decides with it.

/// A random number in 0..1. Spreading needs no more than a fresh seed; without one there is no spreading.
pub fn draw() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}
