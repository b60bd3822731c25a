use stepwell::{DataType, Descriptor, Field, Inputs, Result, field};

/// A row-wise step that reads `size` and adds `half`.
pub fn describe(inputs: &Inputs) -> Result<Descriptor> {
    let columns = inputs.columns("rows");
    let given = field::with(columns, Field::new("half", DataType::Float64));
    let descriptor = stepwell::descriptor!().input("rows", [Field::new("size", DataType::Float64)]);
    Ok(descriptor.output_same_rows("rows", given, "rows"))
}
