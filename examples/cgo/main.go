// Command moons asks an SQLite database in memory about moons. SQLite is C: its
// driver compiles it with cgo.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"runtime"

	_ "github.com/mattn/go-sqlite3"
)

var moons = []struct {
	planet, name string
	radius       float64 // km
}{
	{"Earth", "Moon", 1737.4},
	{"Jupiter", "Callisto", 2410.3},
	{"Jupiter", "Europa", 1560.8},
	{"Jupiter", "Ganymede", 2634.1},
	{"Jupiter", "Io", 1821.6},
	{"Saturn", "Rhea", 763.8},
	{"Saturn", "Titan", 2574.7},
}

func main() {
	log.SetFlags(0)
	fmt.Printf("moons on %s/%s\n", runtime.GOOS, runtime.GOARCH)
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection has a database of its own in memory

	if err := fill(db); err != nil {
		log.Fatal(err)
	}
	if err := largest(db); err != nil {
		log.Fatal(err)
	}
}

func fill(db *sql.DB) error {
	if _, err := db.Exec("CREATE TABLE moons (planet TEXT, name TEXT, radius REAL)"); err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	for _, m := range moons {
		if _, err := tx.Exec("INSERT INTO moons VALUES (?, ?, ?)", m.planet, m.name, m.radius); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// largest prints the number of moons and the largest one for each planet.
func largest(db *sql.DB) error {
	rows, err := db.Query("SELECT planet, count(*), name, max(radius) FROM moons GROUP BY planet ORDER BY planet")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var planet, name string
		var n int
		var radius float64
		if err := rows.Scan(&planet, &n, &name, &radius); err != nil {
			return err
		}
		fmt.Printf("%s: %d, the largest is %s with %.1f km\n", planet, n, name, radius)
	}
	return rows.Err()
}
