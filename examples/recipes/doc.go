// Package recipes shows how to do what apps need beyond the quickstart, one
// recipe in each file. The files are independent: copy what you need.
package recipes
