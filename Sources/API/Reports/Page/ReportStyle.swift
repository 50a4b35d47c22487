import TLS

/// How a report looks on paper: black on white, and legible in grey.
enum ReportStyle {
    static let css: StaticString = """
        @page {
          size: A4; margin: 20mm 20mm 22mm 25mm;
          @bottom-right { content: "Seite " counter(page) " von " counter(pages); font: 8pt sans-serif; }
        }
        * { box-sizing: border-box; }
        html { font: 10.5pt/1.45 "DejaVu Serif", Georgia, serif; color: #000; background: #fff;
          hyphens: auto; overflow-wrap: break-word; }
        body { margin: 0 auto; max-width: 165mm; }
        h1 { font-size: 17pt; line-height: 1.25; margin: 0 0 3mm; }
        h2 { font-size: 12pt; margin: 8mm 0 2mm; break-after: avoid; }
        h3 { font-size: 10.5pt; margin: 5mm 0 1mm; break-after: avoid; }
        p { margin: 0 0 2.5mm; orphans: 3; widows: 3; }
        header { border-bottom: 1.5pt solid #000; margin-bottom: 6mm; padding-bottom: 3mm; }
        header dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 4mm; margin: 0; }
        header dt { font-weight: bold; }
        header dd { margin: 0; }
        .draft { border: 1.5pt solid #000; font-weight: bold; letter-spacing: .08em; margin: 0 0 5mm;
          padding: 1.5mm 3mm; text-align: center; text-transform: uppercase; }
        .watermark { position: fixed; inset: 0; display: flex; align-items: center;
          justify-content: center; font: bold 110pt sans-serif; color: #f0f0f0; z-index: -1;
          transform: rotate(-55deg); }
        .wording { border-left: 2.5pt solid #777; font-style: italic; margin: 0 0 3mm;
          padding: .5mm 0 .5mm 4mm; }
        .wording p:last-child { margin: 0; }
        .sentence { font-size: 12pt; font-weight: bold; break-after: avoid; }
        .filters { break-after: avoid; }
        table { border-collapse: collapse; margin: 2mm 0 3mm; width: 100%; font-size: 9.5pt; }
        thead { display: table-header-group; }
        tr { break-inside: avoid; }
        th, td { border-bottom: .5pt solid #888; padding: 1mm 2mm; text-align: left;
          vertical-align: bottom; }
        tbody th, td { vertical-align: top; }
        thead th { border-bottom: 1pt solid #000; font-weight: bold; }
        tbody th, th.period { font-weight: normal; }
        th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; hyphens: manual; }
        td.n { white-space: nowrap; }
        td.s { font-style: italic; text-align: right; hyphens: manual; }
        tr.total > * { border-top: 1pt solid #000; font-weight: bold; }
        tr.total { break-before: avoid; }
        figure { margin: 3mm 0; break-inside: avoid; }
        figure svg { display: block; width: 100%; height: auto; }
        figcaption { font-size: 8.5pt; }
        ul.notes { font-size: 9pt; margin: 1mm 0 3mm; padding-left: 4.5mm; }
        .definitions dt { font-weight: bold; margin-top: 2.5mm; break-after: avoid; }
        .definitions dd { margin: 0 0 1mm; }
        .definitions, .proof { font-size: 9pt; }
        .proof { border-top: 1.5pt solid #000; margin-top: 9mm; padding-top: 2mm;
          break-inside: avoid; hyphens: manual; }
        .proof dl { display: grid; grid-template-columns: max-content 1fr; gap: .5mm 4mm; margin: 0; }
        .proof dt { font-weight: bold; }
        .proof dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
        code { font: 8pt "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
        svg text { font-family: "DejaVu Sans", sans-serif; fill: #000; }
        @media screen { body { padding: 12mm 6mm; } }
        """

    /// What a browser may load and run for the page: nothing but this one style sheet (CSP level 3).
    static let contentSecurityPolicy: String = {
        let hash = SHA256.digest(of: Array("\(css)".utf8)).base64
        return "default-src 'none'; style-src 'sha256-\(hash)'; base-uri 'none'; form-action 'none'"
    }()
}
