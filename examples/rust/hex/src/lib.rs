//! A macro that turns hexadecimal digits into bytes while the program is compiled: it runs on the host, whatever the program is for.

use proc_macro::TokenStream;

#[proc_macro]
pub fn hex(input: TokenStream) -> TokenStream {
    let text = input.to_string();
    let digits: Vec<u32> = text.trim_matches('"').chars().filter(|c| *c != ' ').map(|c| c.to_digit(16).expect("a hexadecimal digit")).collect();
    assert!(digits.len() % 2 == 0, "an even number of digits");
    let bytes: Vec<String> = digits.chunks(2).map(|d| format!("{}u8", d[0] * 16 + d[1])).collect();
    format!("[{}]", bytes.join(", ")).parse().unwrap()
}
