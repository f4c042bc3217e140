package browser

// animal is a page of the zoo: one way in which a page's style, layout or
// behaviour could harm the prompt.
type animal struct {
	name  string
	sheet *npmFile // of a framework
	html  string   // attributes of the html element
	css   string
	body  string
	waits bool // something lies over the page, so that the prompt waits
}

const (
	prose = `<header><h1>Orders</h1></header><main><p>Revenue grew by a quarter. <a href="#">Read on</a> about it.</p>
<form onsubmit="return false"><label>Name <input value="Ada"></label> <button type="button">Save</button></form><p>More text of the page.</p></main>`
	table = `<main><h1>Orders</h1><table class="table"><tr><th>Order<th>Customer<th>Amount<th></tr>` + rows + rows + rows + `</table></main>`
	rows  = `<tr><td>1042<td>Northwind<td>1,280<td><button type="button">View</button><tr><td>1041<td>Contoso<td>940<td><button type="button">View</button>
<tr><td>1040<td>Fabrikam<td>2,115<td><button type="button">View</button><tr><td>1039<td>Tailspin<td>310<td><button type="button">View</button>`
	cookieBar  = `<div style="position:fixed;inset:auto 0 0;padding:16px;background:#222;color:#fff;z-index:9999"><span>We use cookies.</span> <button>Accept</button></div>`
	chatBubble = `<button aria-label="Chat" style="position:fixed;right:20px;bottom:20px;width:60px;height:60px;border-radius:50%;z-index:2147483000">?</button>`
)

// zoo keeps the animals. What a page says of its own dark theme it says by
// [data-theme=dark] on the html element.
var zoo = []animal{
	{name: "plain", body: prose},
	{name: "bootstrap, sticky header", sheet: bootstrap, body: `<nav class="navbar sticky-top bg-primary px-3"><a class="navbar-brand" href="#">Acme</a></nav>` + table},
	{name: "bootstrap, checkout", sheet: bootstrap, body: `<main class="container py-4"><h1>Checkout</h1><label class="form-label">Name<input class="form-control mb-3" autofocus></label><label class="form-label">Card<input class="form-control mb-3"></label><label class="form-label">Street<input class="form-control mb-3"></label><label class="form-label">City<input class="form-control mb-3"></label><button class="btn btn-success btn-lg">Pay</button></main>`},
	{name: "bootstrap, modal", sheet: bootstrap, waits: true, body: prose + `<div class="modal-backdrop fade show"></div><div class="modal d-block" role="dialog" aria-modal="true"><div class="modal-dialog"><div class="modal-content"><div class="modal-body"><input class="form-control"></div></div></div></div>`},
	{name: "pico", sheet: pico, body: `<main class="container">` + prose + `</main>`},
	{name: "bulma", sheet: bulma, body: `<nav class="navbar is-fixed-top is-primary"><div class="navbar-brand"><a class="navbar-item" href="#">Acme</a></div></nav><section class="section content">` + prose + `</section>`},
	{name: "tailwind, dark by class", css: preflight + `.bg{min-height:100vh;background:#fafafa;color:#18181b}[data-theme=dark] .bg{background:#09090b;color:#f4f4f5}`, body: `<div class="bg">` + prose + `</div>`},
	{name: "tailwind, preflight in layers", css: `@layer base{` + preflight + `}[data-theme=dark] body{background:oklch(21% .034 264.7);color:oklch(96.7% .003 264.5)}`, body: prose},
	{name: "reset", css: `*{margin:0;padding:0;border:0;font:inherit;vertical-align:baseline;box-sizing:border-box}ol,ul{list-style:none}`, body: prose},
	{name: "everything unset", css: `*{all:unset}head,style,script,title,link,meta,template{display:none}html,body,header,main,p,h1,form,aside{display:block}aside{display:none}a{color:white!important;text-transform:uppercase}form{display:grid;padding:2rem}button{width:100%}`, body: prose},
	{name: "everything important", css: `body *{letter-spacing:.3em!important;text-transform:uppercase!important;float:left!important;margin:9px!important;color:red!important;background:yellow!important;transform:rotate(1deg)!important}aside{display:none!important;visibility:hidden!important;opacity:0!important;position:static!important;width:10px!important;height:10px!important;max-height:5px!important;overflow:hidden!important;z-index:-1!important}`, body: prose},
	{name: "bare elements", css: `body p,body li{margin:2em 0;text-align:justify}body button{width:100%;text-transform:uppercase}a:not(.x):not(.y){background:none;color:#fff}aside li{float:right}form{padding:3rem;background:#fee}h2{font-size:60px;border-bottom:9px solid}svg{width:200px;height:200px}`, body: prose},
	{name: "grid body, last child, 62.5 %", css: `html{font-size:62.5%}body{margin:0;display:grid;grid-template-columns:minmax(0,1fr) minmax(0,3fr);min-height:100vh;font-size:1.6rem}body>:last-child{border-top:6px solid #c00}body>aside{grid-column:3}`, body: `<nav>Nav</nav>` + prose},
	{name: "flex body", css: `body{margin:0;display:flex;min-height:100vh}body>*{flex:1}`, body: prose},
	{name: "sidebars", css: `#a,#b{position:fixed;inset:0 auto 0 0;width:12vw;background:#345;z-index:1030}#b{inset:0 0 0 auto}main,header{margin:0 14vw}@media(max-width:600px){#a,#b{display:none}}`, body: `<div id="a"></div><div id="b"></div>` + prose},
	{name: "app shell", css: `html,body{height:100%;margin:0;overflow:hidden}#app{position:fixed;inset:0;display:flex;z-index:1}#app>div{overflow:auto;flex:1}`, body: `<div id="app"><div>` + table + `</div></div>`},
	{name: "cookie bar", body: prose + cookieBar},
	{name: "chat bubble", body: table + chatBubble},
	{name: "cookie bar and chat bubble", body: prose + cookieBar + chatBubble},
	{name: "sticky header and footer", css: `header,footer{position:sticky;top:0;background:#8cf;padding:1em;z-index:1020}footer{top:auto;bottom:0}`, body: table + `<footer>Footer</footer>`},
	{name: "right to left", html: `lang="he" dir="rtl"`, body: table},
	{name: "dark only", css: `html{background:#0b0d12}body{color:#e6e9ef}`, body: prose},
	{name: "inherited text styles", css: `body{letter-spacing:.12em;word-spacing:.16em;line-height:2.4;text-transform:uppercase;text-align:right;text-indent:3em;font-style:italic;font-weight:900;white-space:nowrap;cursor:wait;hyphens:auto}`, body: `<h1>Orders</h1><p><a href="#">Read on</a></p>`},
	{name: "a picture behind dark text", css: `body{background:linear-gradient(#fee,#eef);color:#222}[data-theme=dark] body{background:linear-gradient(#111,#223);color:#ddd}`, body: prose},
	{name: "dialog in the top layer", waits: true, body: prose + `<dialog><p>Really?</p><button>Yes</button></dialog><script>document.querySelector("dialog").showModal()</script>`},
	{name: "custom properties of the same names", css: `:root{--a:red;--b:red;--c:red;--m:red;--l:red;--o:red;--r:99px;--x:99px;--y:99px;--lift:99px;--shift:99px}`, body: prose},
}

const preflight = `*,::before,::after{box-sizing:border-box;border:0 solid;margin:0;padding:0}html{line-height:1.5;tab-size:4}h1,h2,h3{font-size:inherit;font-weight:inherit}a{color:inherit;text-decoration:inherit}button,input{font:inherit;color:inherit;background:transparent;border-radius:0}ol,ul{list-style:none}img,svg{display:block;vertical-align:middle}[hidden]{display:none!important}`
