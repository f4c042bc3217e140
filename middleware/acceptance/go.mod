module github.com/askonce/askonce/middleware/acceptance

go 1.25.0

replace github.com/askonce/askonce => ../../

require (
	github.com/askonce/askonce v0.0.0
	github.com/coder/websocket v1.8.13
	github.com/gorilla/websocket v1.5.3
	github.com/klauspost/compress v1.20.4
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/patrickmn/go-cache v2.1.0+incompatible // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.22.0 // indirect
)
