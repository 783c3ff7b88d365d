module defaults

go 1.19
