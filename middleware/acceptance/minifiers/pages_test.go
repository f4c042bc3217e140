package minifiers

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// pages returns n whole pages, as apps, blogs and documentation write them: of 1 to
// 60 KB, and with every kind of thing at their end. They are the same each time.
func pages(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = page(rand.New(rand.NewPCG(uint64(i), 7)))
	}
	return all
}

func page(rnd *rand.Rand) string {
	pick := func(of []string) string { return of[rnd.IntN(len(of))] }
	var b strings.Builder
	b.WriteString(pick(doctypes))
	fmt.Fprintf(&b, "<html%s>\n<head>\n%s<title>Page %d</title>\n%s</head>\n<body%s>\n", pick(languages), pick(metas), rnd.IntN(1000), pick(heads), pick(bodyAttributes))
	for range 1 + rnd.IntN([]int{4, 20, 120}[rnd.IntN(3)]) {
		b.WriteString(pick(blocks))
	}
	b.WriteString(pick(lasts))
	b.WriteString("</body>\n</html>")
	b.WriteString(pick(behind))
	return b.String()
}

const lorem = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. "

var (
	doctypes       = []string{"<!DOCTYPE html>\n", "<!doctype html>", "<!DOCTYPE  html>\n", "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\n", "<!-- a theme -->\n<!doctype html>\n"}
	languages      = []string{"", ` lang="en"`, ` lang="de" class="no-js"`}
	metas          = []string{"", "<meta charset=\"utf-8\">\n", "<meta charset=\"utf-8\" />\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n"}
	heads          = []string{"", "<style>body { margin: 0; } /* </body> */</style>\n", "<link rel=\"stylesheet\" href=\"/style.css\">\n<script src=\"/app.js\" defer></script>\n", "<script>var a = '</body>'; if (a < 1 && a > 0) { a = \"<p>\" }</script>\n"}
	bodyAttributes = []string{"", ` class="home page"`, ` id="top" data-json='{"a":"<b>"}'`}
	blocks         = []string{
		"<p>" + lorem + "</p>\n",
		"<p>" + lorem + lorem + lorem + lorem + "</p>\n<p>" + lorem + "</p>\n",
		"<h2>A heading</h2>\n<p>Text with <em>emphasis</em>, a <a href=\"/link?a=1&amp;b=2\">link</a> and <code>a &lt; b</code>.</p>\n",
		"<ul>\n<li>One</li>\n<li>Two <b>bold</b></li>\n<li>Three</li>\n</ul>\n",
		"<dl>\n<dt>Term</dt>\n<dd>Definition</dd>\n</dl>\n",
		"<table>\n<thead>\n<tr><th>Name</th><th>Value</th></tr>\n</thead>\n<tbody>\n<tr><td>a</td><td>1</td></tr>\n<tr><td>b</td><td>2</td></tr>\n</tbody>\n</table>\n",
		"<form action=\"/search\" method=\"get\"><label>Search <input name=\"q\" value=\"a &gt; b\"></label><select name=\"in\"><option>All</option><option selected>Some</option></select><textarea name=\"t\">a </body> b</textarea><button>Go</button></form>\n",
		"<svg viewBox=\"0 0 10 10\"><title>Icon</title><path d=\"M0 0h10v10z\"/></svg>\n",
		"<figure><img src=\"/a.png\" alt=\"a > b\"><figcaption>A figure</figcaption></figure>\n",
		"<template><p>Later</p><slot></slot></template>\n",
		"<pre>\n  func main() {\n  }\n</pre>\n",
		"<!-- a comment with </body> in it -->\n<div class=\"card\"><div><span>Deep</span></div></div>\n",
		"<noscript><p>Please turn scripts on.</p></noscript>\n",
		"<math><mi>x</mi><mo>=</mo><mn>1</mn></math>\n",
		"<details><summary>More</summary><p>" + lorem + "</p></details>\n",
		"<iframe src=\"/frame\" title=\"Frame\"></iframe>\n",
	}
	lasts = []string{
		"<footer><p>© 2026 Somebody</p></footer>\n",
		"<p>The end.</p>\n",
		"<ul><li>One</li><li>Two</li></ul>\n",
		"<script src=\"/late.js\"></script>\n",
		"<script>\nwindow.dataLayer = window.dataLayer || [];\nfunction gtag() { dataLayer.push(arguments); }\nif (1 < 2 && 3 > 2) { gtag('js', new Date()); }\n</script>\n",
		"<script type=\"application/json\">{\"html\": \"\\u003cp>x\\u003c/p>\", \"n\": [1, 2]}</script>\n",
		"<div id=\"app\"></div><script type=\"module\">import \"/main.js\"; const t = `<div>${1}</div>`;</script>\n",
		"<noscript><img src=\"/pixel.gif\" alt=\"\"></noscript>\n",
		"<svg><use href=\"#icon\"/></svg>\n",
		"<table><tr><td>a</td></tr></table>\n",
		"Text at the end\n",
		"<p>" + lorem + lorem + lorem + lorem + lorem + lorem + lorem + lorem + lorem + lorem + "</p>\n",
	}
	behind = []string{"", "\n", "\n<!-- cached at 12:00 -->\n", "\n" + strings.Repeat(" ", 3000), "<!-- " + strings.Repeat("object cache: 1 of 2 queries. ", 100) + "-->\n"}
)

// theme leaves out </body> and </html>, as templates of themes and apps do.
func theme(page string) string {
	return strings.NewReplacer("</body>\n</html>", "").Replace(page)
}

// googleStyle leaves out what Google's style guide leaves out: <html>, <head>, <body>
// and their end tags, </p> and </li>.
func googleStyle(page string) string {
	begin := strings.Index(page, "<html")
	page = page[:begin] + page[strings.Index(page, "<head>"):]
	body := strings.Index(page, "<body")
	page = page[:body] + page[body+strings.Index(page[body:], ">\n")+1:]
	return strings.NewReplacer("<head>", "", "</head>", "", "</body>\n</html>", "", "</li>", "", "</dd>", "", "</p>\n", "\n").Replace(page)
}
