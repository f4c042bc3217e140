// Reads a job as JSON from standard input and writes the result as JSON.
//
//   {"tool": "minify-html" | "html-minifier-terser", "pages": […]}   → minified pages
//   {"tool": "parse5", "pairs": [{"plain": …, "injected": …}, …]}    → verdicts
//
// The verdict is "" if the prompt is live exactly once, and the rest of the tree is
// that of the plain page.
import { parse } from "parse5";
import minifyHTML from "@minify-html/node";
import { minify } from "html-minifier-terser";

const tools = {
	"minify-html": async ({ pages }) => pages.map((p) => minifyHTML.minify(Buffer.from(p), { minify_css: true, minify_js: false }).toString()),
	"html-minifier-terser": async ({ pages }) => Promise.all(pages.map((p) => minify(p, {
		collapseWhitespace: true, removeAttributeQuotes: true, removeComments: true, removeOptionalTags: true, minifyCSS: true, minifyJS: true,
	}))),
	parse5: async ({ pairs }) => pairs.map(judge),
};

// Elements within which a prompt would not be shown.
const dead = new Set(["template", "select", "noscript", "textarea", "title", "iframe", "object", "button", "script", "style"]);

function judge({ plain, injected }) {
	for (const scriptingEnabled of [true, false]) {
		const want = parse(plain, { scriptingEnabled });
		const got = parse(injected, { scriptingEnabled });
		const live = takeOut(got, []);
		if (live !== 1) return `scripting ${scriptingEnabled}: ${live} live prompts`;
		if (dump(want) !== dump(got)) return `scripting ${scriptingEnabled}: the rest of the tree differs`;
	}
	return "";
}

const attribute = (n, name) => n.attrs?.find((a) => a.name === name)?.value ?? "";

function isOurs(n) {
	return (n.tagName === "aside" && attribute(n, "class").includes("askonce")) ||
		attribute(n, "href").startsWith("/askonce/prompt-") || attribute(n, "src").startsWith("/askonce/");
}

// takeOut removes what the middleware has inserted and counts the live prompts.
function takeOut(n, path) {
	let live = 0;
	n.childNodes = n.childNodes?.filter((c) => {
		if (!isOurs(c)) return true;
		const where = [...path, n.nodeName];
		if (c.tagName === "aside" && where.includes("body") && !where.some((name) => dead.has(name)) && n.namespaceURI.endsWith("xhtml")) live++;
		return false;
	});
	for (const c of n.childNodes ?? []) live += takeOut(c, [...path, n.nodeName]);
	return live;
}

// dump writes a tree, with adjacent texts as one and without white space at their ends.
function dump(n, depth = 0) {
	let out = "", text = "";
	const flush = () => {
		if (text.trim()) out += "\n" + " ".repeat(depth) + "#" + text.trim();
		text = "";
	};
	for (const c of n.childNodes ?? []) {
		if (c.nodeName === "#text") {
			text += c.value;
			continue;
		}
		flush();
		out += "\n" + " ".repeat(depth) + c.nodeName + " " + JSON.stringify(c.attrs ?? c.data ?? "") + dump(c, depth + 1);
		if (c.content) out += dump(c.content, depth + 1);
	}
	flush();
	return out;
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
const job = JSON.parse(input);
process.stdout.write(JSON.stringify(await tools[job.tool](job)));
