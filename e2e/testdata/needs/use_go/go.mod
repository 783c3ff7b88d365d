module example.com/use_go

go 1.20
