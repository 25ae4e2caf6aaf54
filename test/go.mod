module github.com/butakero/butakero/test

go 1.26

require github.com/butakero/butakero v0.0.0

replace github.com/butakero/butakero => ../
