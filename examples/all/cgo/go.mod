module example.com/all/hello-cgo

go 1.24
