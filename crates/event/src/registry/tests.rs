use super::*;

#[test]
fn the_builtin_schemas_fit_each_other() {
    builtin::registry().unwrap();
}
