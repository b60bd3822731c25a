use stepwell::report;

pub fn epoch_ended(epoch: u64, epochs: u64, loss: f64) {
    report::metric("loss", loss, epoch);
    report::progress(epoch + 1, Some(epochs));
    if !loss.is_finite() {
        report::warn(format!("epoch {epoch}: the loss is {loss}"));
    }
}
