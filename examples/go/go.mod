module example.com/sortwords

go 1.24.0

require golang.org/x/text v0.31.0
