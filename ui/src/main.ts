import { mount } from "svelte";

import "./app.css";
import App from "./App.svelte";
import { httpBackend } from "./lib/http";
import { inApp, tauriBackend } from "./lib/tauri";

const target = document.getElementById("app");
if (target) mount(App, { target, props: { backend: inApp() ? tauriBackend() : httpBackend() } });
