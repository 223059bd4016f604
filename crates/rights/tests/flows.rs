//! The flows of the example, so that it stays true.

#[path = "../examples/flows.rs"]
mod example;

#[test]
fn every_flow_of_the_example_goes_through() {
    example::flows().unwrap();
}
