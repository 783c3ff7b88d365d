use std::collections::HashMap;

#[no_mangle]
pub extern "C" fn rustlib(n: i32) -> i32 {
    let mut squares = HashMap::new();
    for i in 0..=n {
        squares.insert(i, i * i);
    }
    squares[&n]
}
