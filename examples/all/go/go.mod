module example.com/all/hello-go

go 1.24
