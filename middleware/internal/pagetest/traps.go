package pagetest

import (
	"strings"

	"github.com/askonce/askonce/middleware/internal/page"
)

// A Trap is a page that breaks injectors.
type Trap struct {
	Name   string
	Page   string
	Want   page.Outcome
	Before string // the part of the page after the snippet
}

const (
	injected   = page.OutcomeInjected
	unfinished = page.OutcomeUnfinished
	fragment   = page.OutcomeFragment
)

// Closing is how most pages end.
const Closing = "</body></html>"

// Traps lists pages of every kind that has gone wrong somewhere.
var Traps = []Trap{
	// Text that looks like the end of the body.
	{"end tag in a script", `<!doctype html><body><script>var a = '</body>'</script></body>`, injected, "</body>"},
	{"end tag in a style", `<!doctype html><style>/*</body>*/</style></body></html>`, injected, Closing},
	{"end tag in a textarea", `<!doctype html><textarea></body></textarea></body>`, injected, "</body>"},
	{"end tag in a title", `<!doctype html><title></body></title><p></p></body>`, injected, "</body>"},
	{"end tag in an xmp", `<!doctype html><xmp></body></xmp></body>`, injected, "</body>"},
	{"end tag in an iframe", `<!doctype html><iframe></body></iframe></body>`, injected, "</body>"},
	{"end tag in a noembed", `<!doctype html><noembed></body></noembed></body>`, injected, "</body>"},
	{"end tag in a noscript", `<!doctype html><body><noscript></body></noscript></body>`, injected, "</body>"},
	{"noframes only goes with framesets", `<!doctype html><noframes></body></noframes></body>`, injected, "</body>"},
	{"plaintext never ends", `<!doctype html><plaintext></body></html>`, unfinished, ""},
	{"end tag in a template", `<!doctype html><body><template></body></template></body>`, injected, "</body>"},
	{"body in a template", `<!doctype html><body><template><body></body></template></body>`, injected, "</body>"},
	{"nested templates", `<!doctype html><body><template><template></body></template></body></template></body>`, injected, "</body>"},
	{"unclosed template", `<!doctype html><body><template><p></p></body></html>`, unfinished, ""},
	{"srcdoc", `<!doctype html><iframe srcdoc="<body></body>"></iframe></body>`, injected, "</body>"},
	{"end tag in a double-quoted value", `<!doctype html><p title="</body>"></p></body>`, injected, "</body>"},
	{"end tag in a single-quoted value", `<!doctype html><p title='</body>'></p></body>`, injected, "</body>"},
	{"white space around the equals sign", "<!doctype html><p title \n= \"</body>\"></p></body>", injected, "</body>"},
	{"attributes without space between", `<!doctype html><p a="1"b="</body>"></p></body>`, injected, "</body>"},
	{"greater-than in a value", `<!doctype html><p data-action="a->b" title='a > b </body>'></p></body>`, injected, "</body>"},
	{"quote in a name", `<!doctype html><p a"b></p></body>`, injected, "</body>"},
	{"equals sign in front of a name", `<!doctype html><p ="></p></body>`, injected, "</body>"},
	{"unquoted value ends at the first greater-than", `<!doctype html><p title=</body></body>`, injected, "</body>"},
	{"end tag in a comment", `<!doctype html><p></p><!-- </body> --></body>`, injected, "</body>"},
	{"comment ended by --!>", `<!doctype html><!-- x --!></body>`, injected, "</body>"},
	{"empty comment <!-->", `<!doctype html><p></p><!--></body>`, injected, "</body>"},
	{"empty comment <!--->", `<!doctype html><p></p><!---></body>`, injected, "</body>"},
	{"comment of dashes", `<!doctype html><p></p><!-----------></body>`, injected, "</body>"},
	{"<!--!> is no whole comment", `<!doctype html><p></p><!--!></body>`, unfinished, ""},
	{"-- > does not end a comment", `<!doctype html><p></p><!-- x -- ></body>`, unfinished, ""},
	{"conditional comment", `<!doctype html><p></p><!--[if IE]></body><![endif]--></body>`, injected, "</body>"},
	{"bogus conditional comment", `<!doctype html><p></p><![if !IE]></body>`, injected, "</body>"},
	{"comment behind the page", `<!doctype html><p></p></body></html><!-- rendered </body> in 3 ms -->`, injected, ""},
	{"end tag in a doctype", `<!DOCTYPE html PUBLIC "</body>"><p></p></body>`, injected, "</body>"},
	{"processing instruction", `<!doctype html><p></p><?php echo '</body>' ?></body>`, injected, "</body>"},
	{"</ body> is a comment", `<!doctype html><p></p></ body>`, injected, ""},
	{"</> is nothing", `<!doctype html><p></p></></body>`, injected, "</body>"},
	{"less-than in text", `<!doctype html><p>a < b <<</p></body>`, injected, "</body>"},

	// Forms of the end tag.
	{"upper case and space", `<!doctype html><p></p></BODY >`, injected, "</BODY >"},
	{"line feed in the tag", "<!doctype html><p></p></body\n>", injected, "</body\n>"},
	{"slash in the tag", `<!doctype html><p></p></body/>`, injected, "</body/>"},
	{"attribute in the tag", `<!doctype html><p></p></body class="a>b">`, injected, `</body class="a>b">`},
	{"</bodyx> is another element", `<!doctype html><body><p></p></bodyx>`, injected, ""},
	{"</body-guard> is another element", `<!doctype html><body><p></p></body-guard>`, injected, ""},
	{"NUL in the name", "<!doctype html><body><p></p></bo\x00dy>", injected, ""},
	{"white space behind", "<!doctype html><p></p></body>\n</html>\r\n\t ", injected, "</body>\n</html>\r\n\t "},
	{"only </html>", `<!doctype html><p></p></html>`, injected, "</html>"},
	{"twice", `<!doctype html><p></p></body></html></body></html>`, injected, Closing + Closing},
	{"content behind", `<!doctype html><p></p></body></html><div>late</div>`, injected, ""},
	{"two pages", `<!doctype html><p></p></body></html><!doctype html><body><p></p></body></html>`, injected, Closing},
	{"script behind", `<!doctype html><p></p></body></html><script>livereload("</body>")</script>`, injected, ""},
	{"text behind", `<!doctype html><p></p></body></html>rendered in 3 ms`, injected, ""},

	// Scripts.
	{"escaped script ends", `<!doctype html><body><script><!-- x </script></body>`, injected, "</body>"},
	{"double-escaped script", `<!doctype html><body><script><!-- <script> </script> </body> --></script></body>`, injected, "</body>"},
	{"double-escaped and not ended", `<!doctype html><body><script><!-- <script> </script> </body>`, unfinished, ""},
	{"<scriptx> does not escape", `<!doctype html><body><script><!-- <scriptx> </script></body>`, injected, "</body>"},
	{"a script is not self-Closing", `<!doctype html><body><script/></body>`, unfinished, ""},
	{"script open at the end", `<!doctype html><body><script>var bio="</body></html>`, unfinished, ""},
	{"an end tag whose name is not ASCII", "<!doctype html><body><script>var a = '</\u017fcript></body></html>", unfinished, ""},
	{"script whose string ends a tag", `<!doctype html><body><script>e.innerHTML="<b>x</b>`, unfinished, ""},

	// Foreign content.
	{"self-Closing title in svg", `<!doctype html><body><svg><title/></svg></body>`, injected, "</body>"},
	{"self-Closing style and script in svg", `<!doctype html><body><svg><style/><script/></svg></body>`, injected, "</body>"},
	{"title in svg", `<!doctype html><body><svg><title>Icon</title><path/></svg></body>`, injected, "</body>"},
	{"CDATA in svg", `<!doctype html><body><svg><style><![CDATA[ </body> ]]></style></svg></body>`, injected, "</body>"},
	{"CDATA in HTML is a comment", `<!doctype html><body><p></p><![CDATA[ > ]]></body>`, injected, "</body>"},
	{"foreignObject", `<!doctype html><body><svg><foreignObject><textarea></body></textarea></foreignObject></svg></body>`, injected, "</body>"},
	{"foreignObject with text only", `<!doctype html><body><svg><foreignObject>x</foreignObject></svg></body>`, injected, "</body>"},
	{"MathML", `<!doctype html><body><math><mi>x</mi><mo>=</mo><mn>1</mn></math></body>`, injected, "</body>"},
	{"breakout", `<!doctype html><body><svg><path><div></div></body>`, unfinished, ""},
	{"svg open at the end", `<!doctype html><body><svg><path></body></html>`, unfinished, ""},
	{"math open at the end", `<!doctype html><body><math><mi></body></html>`, unfinished, ""},
	{"svg closed by another's end tag", `<!doctype html><body><table><tr><td><svg></table></body></html>`, unfinished, ""},

	// Documents without end tags, and what is no document.
	{"no end tags", `<!doctype html><title>x</title><p>x</p>`, injected, ""},
	{"no end tags, ends in text", `<!doctype html><p>x`, injected, ""},
	{"begun with <html>, ends in text", `<html><p>x`, injected, ""},
	{"cut off in text", `<!doctype html><html><body><p>This page is cut`, injected, ""},
	{"cut off in a tag", `<!doctype html><html><body><p>x</p><p class`, unfinished, ""},
	{"cut off in a value", `<!doctype html><html><body><p>x</p><input value="</body></html>`, unfinished, ""},
	{"cut off in an end tag", `<!doctype html><html><body><p>x</p></body`, unfinished, ""},
	{"cut off behind <", `<!doctype html><html><body><p>x</p><`, unfinished, ""},
	{"cut off in a comment", `<!doctype html><html><body><p>x</p><!-- </body></html>`, unfinished, ""},
	{"table open", `<!doctype html><table><tr><td>x</td></body></html>`, unfinished, ""},
	{"select open", `<!doctype html><select><option>x</option></body></html>`, unfinished, ""},
	{"stray end tag before the table ends", `<!doctype html><table></body></html><tr><td></td></tr></table>`, injected, ""},
	{"frameset", `<!doctype html><html><frameset><frame></frameset></html>`, unfinished, ""},
	{"frameset's noframes", `<!doctype html><html><frameset><frame><noframes><body></body></noframes></html>`, unfinished, ""},
	{"byte order mark", "\ufeff<!doctype html><p></p>", injected, ""},
	{"comments before the doctype", "\n<!-- saved from -- --><!-- --!><!doctype html><p></p>", injected, ""},
	{"html tag with attributes", `<html lang="de"><p></p>`, injected, ""},
	{"nothing but the end tags", Closing, fragment, ""},
	{"fragment", `<li>one</li>`, fragment, ""},
	{"fragment that ends as a page does", `<li>one</li></body></html>`, fragment, ""},
	{"CSV as text/html", "a,b\n1,<b>2</b>", fragment, ""},
	{"XML as text/html", `<?xml version="1.0"?><tv><channel/></tv>`, fragment, ""},
	{"JSON as text/html", `{"html":"<p></body></html>"}`, fragment, ""},
	{"unclosed elements around the prompt", `<!doctype html><body><div hidden><a href="/x">y<b>z</body></html>`, injected, Closing},
	{"noscript raw and markup disagree", `<!doctype html><body><noscript><p title="</noscript><!--"></p></noscript></body></html>`, unfinished, ""},
	{"base elsewhere", `<!doctype html><head><base href="https://other.example/"></head><body></body></html>`, injected, Closing},
	{"meta refresh cut off", `<!doctype html><meta http-equiv=refresh content="5;url=/</body></html>`, unfinished, ""},
}

// Filler returns n bytes of ordinary markup that leaves no element open.
func Filler(n int) string {
	const line = "<p class=\"x\">Lorem <b>ipsum</b> dolor sit amet.</p>\n"
	return strings.Repeat(line, n/len(line)) + strings.Repeat(" ", n%len(line))
}
