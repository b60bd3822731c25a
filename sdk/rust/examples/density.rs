//! Adds a column `density`: mass by volume, null where either is null.

stepwell::row_wise! {
    reads { "mass": Float64, "volume": Float64 }
    adds { "density": Float64 }
    |rows| {
        let (mass, volume) = (rows.f64("mass")?, rows.f64("volume")?);
        let density: Vec<_> = mass.iter().zip(volume.iter()).map(|(m, v)| Some(m? / v?)).collect();
        rows.with("density", density)
    }
}
