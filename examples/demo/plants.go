package main

import (
	"net/http"
	"sync"
	"time"
)

// plant is a plant in an office.
type plant struct {
	ID                          string
	Office, Name, Species, Room string
	Shape                       string // of its picture: leaf, palm, cactus
	Every                       int    // days between waterings
	Dry                         int    // days since the last one
}

// Due returns in how many days the plant wants water. It is negative if that is
// overdue.
func (p plant) Due() int { return p.Every - p.Dry }

// plants is Fernly's database.
type plants struct {
	mu  sync.Mutex
	all []plant
}

func newPlants() *plants {
	return &plants{all: []plant{
		{"n1", "Nordlys Studio", "Big Olga", "Swiss cheese plant", "Reception", "leaf", 7, 8},
		{"n2", "Nordlys Studio", "Spike", "Golden barrel cactus", "Edit suite 2", "cactus", 21, 21},
		{"n3", "Nordlys Studio", "The twins", "Kentia palm", "Meeting room Oslo", "palm", 9, 6},
		{"n4", "Nordlys Studio", "Lucy", "Peace lily", "Kitchen", "leaf", 5, 5},
		{"n5", "Nordlys Studio", "Sir Hiss", "Snake plant", "Corridor", "leaf", 14, 3},
		{"h1", "Harbour & Finch", "Captain", "Fiddle-leaf fig", "Lobby", "leaf", 8, 8},
		{"h2", "Harbour & Finch", "Anchor", "ZZ plant", "Server room", "leaf", 18, 4},
		{"h3", "Harbour & Finch", "Gull", "Areca palm", "Trading floor", "palm", 6, 7},
		{"h4", "Harbour & Finch", "Barnacle", "Bunny ear cactus", "Desk 14", "cactus", 20, 9},
		{"m1", "Marchetti Dental", "Molly", "Boston fern", "Waiting room", "leaf", 4, 4},
		{"m2", "Marchetti Dental", "Minty", "Chinese money plant", "Treatment 1", "leaf", 7, 2},
		{"m3", "Marchetti Dental", "Incisor", "Prickly pear", "Window sill", "cactus", 21, 16},
		{"m4", "Marchetti Dental", "Palmer", "Parlour palm", "Staff room", "palm", 8, 9},
	}}
}

func (p *plants) of(office string) (own []plant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, plant := range p.all {
		if plant.Office == office {
			own = append(own, plant)
		}
	}
	return own
}

func (p *plants) water(office, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.all {
		if p.all[i].Office == office && p.all[i].ID == id {
			p.all[i].Dry = 0
		}
	}
}

func (a *app) water(w http.ResponseWriter, r *http.Request) {
	a.plants.water(userOf(currentUser(r)).Office, r.PostFormValue("plant"))
	back(w, r)
}

// visit is a visit of the gardener.
type visit struct {
	At          time.Time
	Who, Plan   string
	Cost, State string
}

// visitsAt returns the visits around now: past ones have their invoices.
func visitsAt(now time.Time) []visit {
	at := func(days, hour int) time.Time {
		y, m, d := now.Date()
		return time.Date(y, m, d+days, hour, 0, 0, 0, now.Location())
	}
	return []visit{
		{at(4, 9), "Imke", "Repot two, prune, check for spider mites", "€ 85.00", "planned"},
		{at(25, 14), "Imke", "Feed everything, wipe the leaves", "€ 60.00", "planned"},
		{at(-17, 9), "Tomasz", "Feed everything, replace the fern", "€ 97.40", "due"},
		{at(-45, 10), "Imke", "First visit: choose the places, label and pot", "€ 240.00", "paid"},
	}
}
