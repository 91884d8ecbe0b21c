//! P-Charging-Function-Addresses (RFC 7315 §4.5).

use crate::header::macros::bare_parameter_header;

bare_parameter_header! {
    /// Where charging records go.
    PChargingFunctionAddresses, P_CHARGING_FUNCTION_ADDRESSES, list: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PChargingFunctionAddresses, the_examples_of_rfc_7315_are_read_and_written,
        same: ["ccf=192.1.1.1;ccf=192.1.1.2;ecf=192.1.1.3"],
        other: ["ccf=[2001:db8::1]; ecf=192.0.8.3"],
        refused: ["", "=x", "a=1;"]
    }
}
