export function PageHead() {
  return (
    <>
      <nav aria-label="Skip links" className="skip-links">
        <a href="#main">Skip to the form</a>
        <a href="#gallery">Skip to the gallery</a>
      </nav>
      <header className="page-head">
        <h1>Calotype</h1>
        <p>Pictures from words, painted on your own machine.</p>
      </header>
    </>
  );
}
