// Draws dashboard.json with Grafana's React components, from the HTTP API of a Prometheus, which are both below the
// page's origin. What Grafana's server and its panel plugins do in between is done here: the queries of the panels with
// their variables, and the settings of their fields.
import { createRoot } from "react-dom/client"
import { FieldType, ThemeContext, applyFieldOverrides, createTheme, dateTime, reduceField, toDataFrame } from "@grafana/data"
import { BigValue, GlobalStyles, PanelChrome, TimeSeries } from "@grafana/ui"

const query = new URLSearchParams(location.search)
const [from, to] = [Number(query.get("from")), Number(query.get("to"))] // seconds
const width = Number(query.get("width"))
const rows = query.get("rows").split(",") // whose panels are drawn
const step = 2 // seconds
const variables = { $__rate_interval: query.get("rate"), $job: ".*", $provider: ".*" }
const [unit, gap] = [38, 8] // of the height of panels, and between them, in pixels

const theme = createTheme({ colors: { mode: "light" } })
const timeRange = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: "now-5m", to: "now" } }

async function framesOf(panel) {
	const frames = []
	const config = { color: { mode: panel.type === "stat" ? "thresholds" : "palette-classic" }, ...panel.fieldConfig.defaults }
	for (const target of panel.targets) {
		const expr = target.expr.replace(/\$\w+/g, name => variables[name])
		const resp = await fetch("/api/v1/query_range?" + new URLSearchParams({ query: expr, start: from, end: to, step }))
		const { data, error } = await resp.json()
		if (!resp.ok) throw new Error(`${panel.title}: ${error}`)
		for (const { metric, values } of data.result) {
			const name = (target.legendFormat ?? "").replace(/{{(\w+)}}/g, (_, label) => metric[label] ?? "").trim()
			frames.push(toDataFrame({ fields: [
				{ name: "Time", type: FieldType.time, values: values.map(([at]) => at * 1000), config: { interval: step * 1000 } },
				{ name: "Value", type: FieldType.number, values: values.map(([, v]) => v === "NaN" ? null : Number(v)), config: { ...config, displayName: name || panel.title } },
			] }))
		}
	}
	return applyFieldOverrides({ data: frames, fieldConfig: { defaults: {}, overrides: [] }, replaceVariables: text => text, theme, timeZone: "utc" })
}

function Stat({ panel, frames, width, height }) {
	const [x, y] = frames[0].fields
	const [calc] = panel.options.reduceOptions.calcs
	const value = { ...y.display(reduceField({ field: y, reducers: [calc] })[calc]), title: "" }
	return <BigValue {...{ value, width, height, theme }} colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} sparkline={{ x, y, timeRange }} />
}

function Panel({ panel, frames, top }) {
	const { x, w, h } = panel.gridPos
	const column = (width - gap) / 24
	const place = { position: "absolute", left: x * column + gap, top: top * unit + gap }
	if (panel.type === "row") return <div style={{ ...place, fontWeight: 500, lineHeight: unit - gap + "px" }}>{panel.title}</div>
	return <div style={place}><PanelChrome title={panel.title} width={w * column - gap} height={h * unit - gap}>{(width, height) => frames.length === 0
		? <div style={{ width, height, display: "grid", placeItems: "center" }}>No data</div>
		: panel.type === "stat" ? <Stat {...{ panel, frames, width, height }} />
		: <TimeSeries {...{ frames, width, height, timeRange }} timeZone="utc" legend={{ calcs: [], ...panel.options.legend }} options={panel.options} />
	}</PanelChrome></div>
}

// draw returns the height of what it has drawn.
async function draw() {
	const dashboard = await (await fetch("/dashboard.json")).json()
	const panels = []
	let row = "", left = 0 // units above the panel that are not drawn
	for (const panel of dashboard.panels) {
		if (panel.type === "row") row = panel.title
		if (rows.includes(row)) {
			panels.push({ panel, frames: panel.targets ? await framesOf(panel) : [], top: panel.gridPos.y - left })
		} else if (panel.gridPos.x === 0) {
			left += panel.gridPos.h
		}
	}
	createRoot(document.getElementById("dashboard")).render(<ThemeContext.Provider value={theme}>
		<GlobalStyles />
		{panels.map(({ panel, ...rest }) => <Panel key={panel.id} {...{ panel, ...rest }} />)}
	</ThemeContext.Provider>)
	return Math.max(...panels.map(({ panel, top }) => top + panel.gridPos.h)) * unit + gap
}

window.drawn = draw()
