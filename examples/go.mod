module github.com/askonce/askonce/examples

go 1.25.0

require github.com/askonce/askonce v0.0.0

require (
	github.com/patrickmn/go-cache v2.1.0+incompatible // indirect
	golang.org/x/sync v0.22.0 // indirect
)

replace github.com/askonce/askonce => ../
