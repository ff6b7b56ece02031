// The token is in the link's fragment, which no server, log or Referer sees.
const token = location.hash.slice(1);
if (token) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("token").value = token;
  document.getElementById("door").submit();
}
