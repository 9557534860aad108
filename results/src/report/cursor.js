'use strict';
// One moment for all pictures over time: the pointer or the arrow keys move it, and the line above the pictures
// says what each of them shows there. Without this script the page lacks nothing else.
(() => {
  const fault = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener('hashchange', fault);
  fault();

  const readout = document.getElementById('moment');
  const figures = [...document.querySelectorAll('figure.shared')];
  const pictures = figures.map((figure) => figure.querySelector('svg'));
  if (!readout || pictures.length === 0) return;
  const series = JSON.parse(readout.dataset.series);
  const [left, right, width] = series.scale;
  const bins = series.ok.length;
  if (bins === 0) return;
  const span = series.to_s - series.from_s;
  const middle = (bin) => series.from_s + (bin + 0.5) * series.bin_s;

  const lines = pictures.map((picture) => {
    const line = document.createElementNS(picture.namespaceURI, 'line');
    line.setAttribute('class', 's-ink cursor');
    line.setAttribute('y1', '0');
    // Down to the axis, not over its labels.
    line.setAttribute('y2', String(picture.viewBox.baseVal.height - 26));
    line.setAttribute('visibility', 'hidden');
    picture.append(line);
    return line;
  });

  const cells = {};
  const cell = (name) => {
    const box = document.createElement('span');
    const label = document.createElement('small');
    const value = document.createElement('b');
    label.textContent = name;
    box.append(label, ' ', value);
    readout.append(box);
    cells[name] = value;
  };
  readout.textContent = '';
  ['at', 'p50', 'p99', 'max', 'ok', 'fail', 'unknown', 'served', 'leader', 'fault'].forEach(cell);
  readout.hidden = false;

  const digits = (number) => (number >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3))));
  const time = (ms) => (ms === null ? '-' : ms >= 1000 ? digits(ms / 1000) + ' s' : digits(ms) + ' ms');
  const rate = (count) => count.toLocaleString('en') + '/s';
  const during = (stretches, from, to) => stretches.filter((stretch) => stretch[0] < to && stretch[1] >= from);

  let bin = -1;
  const show = (wanted) => {
    bin = Math.max(0, Math.min(bins - 1, wanted));
    const at = middle(bin);
    const x = left + ((right - left) * (at - series.from_s)) / span;
    for (const line of lines) {
      line.setAttribute('x1', x.toFixed(1));
      line.setAttribute('x2', x.toFixed(1));
      line.setAttribute('visibility', 'visible');
    }
    const from = at - series.bin_s / 2;
    const to = at + series.bin_s / 2;
    const leaders = during(series.leaders, from, to).map((reign) => reign[2]);
    const faults = during(series.faults, from, to);
    const served = series.served[bin];
    cells.at.textContent = at.toFixed(series.bin_s < 1 ? 2 : 0) + ' s';
    cells.p50.textContent = time(series.p50[bin]);
    cells.p99.textContent = time(series.p99[bin]);
    cells.max.textContent = time(series.max[bin]);
    cells.ok.textContent = rate(series.ok[bin]);
    cells.fail.textContent = rate(series.fail[bin]);
    cells.unknown.textContent = rate(series.unknown[bin]);
    cells.served.textContent = served === null ? '-' : digits(served) + ' %';
    cells.leader.textContent = leaders.length ? leaders[leaders.length - 1] : 'none seen';
    cells.fault.textContent = faults.length ? '' : 'none';
    faults.forEach((one, n) => {
      const link = document.createElement('a');
      link.href = '#fault-' + one[2];
      link.textContent = one[2] + ' ' + one[3];
      cells.fault.append(n ? ', ' : '', link);
    });
    readout.setAttribute('aria-valuenow', at.toFixed(2));
    readout.setAttribute('aria-valuetext', readout.textContent);
  };

  const follow = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    show(Math.floor(((x - left) / (right - left)) * (span / series.bin_s)));
  };
  for (const picture of pictures) {
    picture.addEventListener('pointermove', follow);
    picture.addEventListener('pointerdown', follow);
  }

  const starts = series.faults.map((one) => Math.floor((one[0] - series.from_s) / series.bin_s));
  readout.addEventListener('keydown', (event) => {
    const step = event.shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: () => bin - step,
      ArrowRight: () => bin + step,
      Home: () => 0,
      End: () => bins - 1,
      PageUp: () => Math.max(0, ...starts.filter((start) => start < bin)),
      PageDown: () => Math.min(bins - 1, ...starts.filter((start) => start > bin)),
    };
    const move = moves[event.key];
    if (!move || event.target !== readout) return;
    event.preventDefault();
    show(move());
  });

  // On a narrow screen the pictures scroll together.
  const scrolls = figures.map((figure) => figure.querySelector('.scroll'));
  for (const one of scrolls) {
    one.addEventListener('scroll', () => {
      for (const other of scrolls) if (other.scrollLeft !== one.scrollLeft) other.scrollLeft = one.scrollLeft;
    });
  }
  show(starts.length ? Math.min(...starts) : 0);
})();
