module github.com/askonce/askonce/middleware/acceptance

go 1.25.0

replace github.com/askonce/askonce => ../../
