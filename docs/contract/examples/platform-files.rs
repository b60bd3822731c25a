use stepwell::{Result, files};

const PIECE: u32 = 4 << 20;

/// Granted by `grants = { files = ["data", { path = "out", write = true }] }`.
pub fn copied() -> Result<()> {
    let (source, target) = (files::open("data/in.bin")?, files::create("out/in.bin")?);
    for offset in (0..source.size()).step_by(PIECE as usize) {
        target.write(&source.read(offset, PIECE)?)?;
    }
    files::NewFile::finish(target)
}
