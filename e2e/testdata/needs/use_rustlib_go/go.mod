module example.com/use_rustlib_go

go 1.20
